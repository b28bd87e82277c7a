// Wake-ups: the epoll set of all children, and what else is in it.
#include "watch/watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

#include <memory>

#include "watch/reaper.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;

// What is no child's.
constexpr uint64_t kWakeId = 0;
constexpr uint64_t kAdoptedId = uint64_t{1} << 32;
constexpr uint64_t kClockId = uint64_t{2} << 32;
// And the number of a descriptor of JavaScript's.
constexpr uint64_t kDescriptorId = uint64_t{3} << 32;

Errno AddTo(int epoll, int descriptor, uint64_t id, uint32_t events = EPOLLIN) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0) return {};
  const bool changed = errno == EEXIST && epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event) == 0;
  return changed ? Errno{} : Errno::Last(SYS_epoll_ctl);
}

}  // namespace

Errno Watch::Open(const WakerFor& open_waker, Listener* listener, Reader* reader, Watch** watch) {
  auto made = std::unique_ptr<Watch, void (*)(Watch*)>(new Watch(listener, reader), [](Watch* watch) { delete watch; });
  if (const Errno error = made->children_.Open()) return error;
  const int epoll = made->children_.epoll();
  made->wake_ = AboveStdio(Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!made->wake_.open()) return Errno::Last(SYS_eventfd2);
  if (const Errno error = AddTo(epoll, made->wake_.number(), kWakeId)) return error;
  if (const Errno error = made->clock_.Open(epoll, kClockId)) return error;
  int adopted = -1;
  if (const Errno error = AdoptedEvents(&adopted)) return error;
  if (const Errno error = AddTo(epoll, adopted, kAdoptedId)) return error;
  if (const Errno error = open_waker(epoll, made.get(), &made->waker_)) return error;
  *watch = made.release();
  return {};
}

uint32_t Watch::Add(std::unique_ptr<Child> child) {
  ReapAdopted();
  const uint32_t id = children_.Add(std::move(child));
  Recheck();
  UpdateRef();
  return id;
}

void Watch::Look(uint32_t id) {
  children_.Look(id, this);
  Recheck();
}

void Watch::End(uint32_t id) {
  children_.End(id);
  Recheck();
}

int Watch::SignalTree(uint32_t id, int signal) {
  const int error = children_.SignalTree(id, signal);
  Recheck();
  return error;
}

void Watch::HoldTree(uint32_t id, bool hold) {
  children_.HoldTree(id, hold);
  Recheck();
}

bool Watch::Hear(uint32_t id, News news, const Child& child) {
  if (news == News::kEnded || news == News::kFailed) {
    unreferenced_.erase(id);
    UpdateRef();
  }
  return listener_->Hear(id, news, child);
}

void Watch::SetRef(uint32_t id, bool ref) {
  if (ref) {
    unreferenced_.erase(id);
  } else if (children_.Find(id) != nullptr) {
    unreferenced_.insert(id);
  }
  UpdateRef();
}

void Watch::UpdateRef() { waker_->SetRef(children_.size() > unreferenced_.size() || !awaited_.empty()); }

Errno Watch::Await(int descriptor, uint32_t events, bool ref) {
  Errno error;
  if (events == 0) {
    epoll_ctl(children_.epoll(), EPOLL_CTL_DEL, descriptor, nullptr);
  } else {
    error =
        AddTo(children_.epoll(), descriptor, kDescriptorId | static_cast<uint32_t>(descriptor), events | EPOLLONESHOT);
  }
  if (events != 0 && ref && !error) {
    awaited_.insert(descriptor);
  } else {
    awaited_.erase(descriptor);
  }
  UpdateRef();
  return error;
}

void Watch::HearReady(int descriptor) {
  awaited_.erase(descriptor);
  reader_->HearReady(descriptor);
  // Not before: it may wait for more.
  UpdateRef();
}

void Watch::WakeUp() {
  epoll_event events[kEvents];
  const int count = epoll_wait(children_.epoll(), events, kEvents, 0);
  for (int i = 0; i < count; i++) {
    const uint64_t id = events[i].data.u64;
    uint64_t times = 0;
    if (id == kAdoptedId) {
      ReapAdopted();
    } else if (id == kClockId) {
      children_.LookAtUnclear(this);
      clock_.Set(children_.has_unclear());
    } else if (id >= kDescriptorId) {
      HearReady(static_cast<int>(id & 0xffffffff));
    } else if (id != kWakeId) {
      children_.Look(static_cast<uint32_t>(id), this);
    } else if (read(wake_.number(), &times, sizeof(times)) > 0) {
      children_.LookAtThreads(this);
    }
  }
  children_.GoOn();
  Recheck();
}

void Watch::Close(bool kill_all, void (*closed)(void*), void* data) {
  closed_ = closed;
  closed_data_ = data;
  children_.TakeAll([kill_all](std::unique_ptr<Child> child) {
    const bool keep =
        child->outlives() || (child->phase() == Phase::kStarted && (!kill_all || child->traits().detached));
    if (!keep) child->Kill();
    Adopt(std::move(child));
  });
  // A killed child is gone within a millisecond as a rule: then no zombie is left for a later clone to reap. The thread
  // of a Worker keeps nobody waiting, and a busy host may need longer.
  constexpr timespec kPause = {0, 500'000};
  const int rounds = kill_all ? 2000 : 20;
  for (int round = 0; AnyAdoptedDying() && round < rounds; round++) {
    nanosleep(&kPause, nullptr);
    ReapAdopted();
  }
  const auto gone = [](void* data) {
    auto* watch = static_cast<Watch*>(data);
    void (*const tell)(void*) = watch->closed_;
    void* const tell_data = watch->closed_data_;
    delete watch;
    tell(tell_data);
  };
  waker_->Close(gone, this);
}

}  // namespace nsclone

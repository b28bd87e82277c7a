// Wake-ups: the epoll set of all children, which libuv polls.
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
constexpr uint64_t kRecheckMilliseconds = 1;

// What is no child's.
constexpr uint64_t kWakeId = 0;
constexpr uint64_t kAdoptedId = uint64_t{1} << 32;

Errno AddTo(int epoll, int descriptor, uint64_t id) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? Errno{} : Errno::Last(SYS_epoll_ctl);
}

}  // namespace

Errno Watch::Open(uv_loop_t* loop, Listener* listener, Watch** watch) {
  auto made = std::unique_ptr<Watch, void (*)(Watch*)>(new Watch(loop, listener), [](Watch* watch) { delete watch; });
  if (const Errno error = made->children_.Open()) return error;
  const int epoll = made->children_.epoll();
  made->wake_ = AboveStdio(Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!made->wake_.open()) return Errno::Last(SYS_eventfd2);
  if (const Errno error = AddTo(epoll, made->wake_.number(), kWakeId)) return error;
  int adopted = -1;
  if (const Errno error = AdoptedEvents(&adopted)) return error;
  if (const Errno error = AddTo(epoll, adopted, kAdoptedId)) return error;
  if (const int error = uv_poll_init(loop, &made->poll_, epoll); error != 0) return {-error};
  uv_timer_init(loop, &made->timer_);
  made->open_handles_ = 2;
  made->poll_.data = made.get();
  made->timer_.data = made.get();
  uv_poll_start(&made->poll_, UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<Watch*>(handle->data)->WakeUp(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&made->poll_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&made->timer_));
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

void Watch::Hear(uint32_t id, News news, const Child& child) {
  if (news == News::kEnded || news == News::kFailed) {
    unreferenced_.erase(id);
    UpdateRef();
  }
  listener_->Hear(id, news, child);
}

void Watch::SetRef(uint32_t id, bool ref) {
  if (ref) {
    unreferenced_.erase(id);
  } else if (children_.Find(id) != nullptr) {
    unreferenced_.insert(id);
  }
  UpdateRef();
}

void Watch::UpdateRef() {
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  children_.size() > unreferenced_.size() ? uv_ref(handle) : uv_unref(handle);
}

void Watch::WakeUp() {
  epoll_event events[kEvents];
  const int count = epoll_wait(children_.epoll(), events, kEvents, 0);
  for (int i = 0; i < count; i++) {
    const uint64_t id = events[i].data.u64;
    uint64_t times = 0;
    if (id == kAdoptedId) {
      ReapAdopted();
    } else if (id != kWakeId) {
      children_.Look(static_cast<uint32_t>(id), this);
    } else if (read(wake_.number(), &times, sizeof(times)) > 0) {
      children_.LookAtThreads(this);
    }
  }
  Recheck();
}

void Watch::Recheck() {
  if (!children_.has_unclear() || uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) != 0) return;
  const auto look = [](uv_timer_t* handle) {
    auto* watch = static_cast<Watch*>(handle->data);
    watch->children_.LookAtUnclear(watch);
    watch->Recheck();
  };
  uv_timer_start(&timer_, look, kRecheckMilliseconds, 0);
}

void Watch::Close(bool kill_all, void (*closed)(void*), void* data) {
  closed_ = closed;
  closed_data_ = data;
  children_.TakeAll([kill_all](std::unique_ptr<Child> child) {
    const bool keep = child->phase() == Phase::kStarted && (!kill_all || child->traits().detached);
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
  const auto close_one = [](uv_handle_t* handle) {
    auto* watch = static_cast<Watch*>(handle->data);
    if (--watch->open_handles_ > 0) return;
    void (*const tell)(void*) = watch->closed_;
    void* const tell_data = watch->closed_data_;
    delete watch;
    tell(tell_data);
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), close_one);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), close_one);
}

}  // namespace nsclone

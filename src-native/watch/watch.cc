// Wake-ups: channel and pidfds of all children in one epoll descriptor, which libuv polls.
#include "watch/watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

#include <vector>

#include "watch/reaper.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;
constexpr uint64_t kRecheckMilliseconds = 1;

// What is no child's: ids have 30 bits.
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
  Descriptor epoll = AboveStdio(Descriptor(epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll.open()) return Errno::Last(SYS_epoll_create1);
  Descriptor wake = AboveStdio(Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!wake.open()) return Errno::Last(SYS_eventfd2);
  if (const Errno error = AddTo(epoll.number(), wake.number(), kWakeId)) return error;
  int adopted = -1;
  if (const Errno error = AdoptedEvents(&adopted)) return error;
  if (const Errno error = AddTo(epoll.number(), adopted, kAdoptedId)) return error;

  auto* made = new Watch(loop, listener);
  made->epoll_ = std::move(epoll);
  made->wake_ = std::move(wake);
  if (const int error = uv_poll_init(loop, &made->poll_, made->epoll_.number()); error != 0) {
    delete made;
    return {-error};
  }
  uv_timer_init(loop, &made->timer_);
  made->open_handles_ = 2;
  made->poll_.data = made;
  made->timer_.data = made;
  uv_poll_start(&made->poll_, UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<Watch*>(handle->data)->WakeUp(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&made->poll_));
  uv_unref(reinterpret_cast<uv_handle_t*>(&made->timer_));
  *watch = made;
  return {};
}

uint32_t Watch::Add(std::unique_ptr<Child> child) {
  ReapAdopted();
  do {
    last_id_ = (last_id_ + 1) & 0x3fffffff;
  } while (last_id_ == 0 || entries_.count(last_id_) != 0);
  const uint32_t id = last_id_;
  Entry& entry = entries_[id];
  entry.child = std::move(child);
  referenced_++;
  Follow(id, &entry);
  UpdateRef();
  return id;
}

Child* Watch::Find(uint32_t id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.child.get();
}

void Watch::End(uint32_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.child->Kill();
  Follow(id, &found->second);
}

void Watch::SetRef(uint32_t id, bool ref) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.ref == ref) return;
  found->second.ref = ref;
  ref ? referenced_++ : referenced_--;
  UpdateRef();
}

void Watch::UpdateRef() {
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  referenced_ > 0 ? uv_ref(handle) : uv_unref(handle);
}

void Watch::Follow(uint32_t id, Entry* entry) {
  entry->ears.Follow(epoll_.number(), id, entry->child.get());
  if (entry->ears.deaf() || entry->child->wants_recheck()) Recheck();
}

void Watch::Look(uint32_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Child& child = *found->second.child;
  const bool waiting = child.Listen();
  Follow(id, &found->second);
  if (waiting) listener_->Hear(id, News::kWaiting, child);
  Settle(id);
}

void Watch::Settle(uint32_t id) {
  for (;;) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const bool changed = entry.child->Advance();
    Follow(id, &entry);
    if (!changed) return;
    const Phase phase = entry.child->phase();
    if (phase == Phase::kStarted) {
      listener_->Hear(id, News::kStarted, *entry.child);
      continue;
    }
    Entry last = std::move(entry);
    last.ears.Forget(epoll_.number());
    if (last.ref) referenced_--;
    entries_.erase(found);
    UpdateRef();
    // Whoever hears of the end finds no descriptor of it any more.
    last.child->CloseOver();
    listener_->Hear(id, phase == Phase::kEnded ? News::kEnded : News::kFailed, *last.child);
    return;
  }
}

void Watch::WakeUp() {
  epoll_event events[kEvents];
  const int count = epoll_wait(epoll_.number(), events, kEvents, 0);
  for (int i = 0; i < count; i++) {
    const uint64_t id = events[i].data.u64;
    if (id == kAdoptedId) {
      ReapAdopted();
    } else if (id == kWakeId) {
      // A thread writes it just before its end.
      uint64_t times = 0;
      if (read(wake_.number(), &times, sizeof(times)) > 0) LookAtThreads();
    } else {
      Look(static_cast<uint32_t>(id));
    }
  }
}

void Watch::LookAtThreads() {
  std::vector<uint32_t> threads;
  for (const auto& [id, entry] : entries_) {
    if (entry.child->traits().place == ChildTraits::Place::kThread) threads.push_back(id);
  }
  for (const uint32_t id : threads) Look(id);
}

void Watch::Recheck() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) != 0) return;
  uv_timer_start(
      &timer_,
      [](uv_timer_t* handle) {
        auto* watch = static_cast<Watch*>(handle->data);
        std::vector<uint32_t> unclear;
        for (const auto& [id, entry] : watch->entries_) {
          if (entry.ears.deaf() || entry.child->wants_recheck()) unclear.push_back(id);
        }
        for (const uint32_t id : unclear) watch->Look(id);
      },
      kRecheckMilliseconds, 0);
}

void Watch::Close(bool kill_all, void (*closed)(void*), void* data) {
  closed_ = closed;
  closed_data_ = data;
  for (auto& [id, entry] : entries_) {
    const bool keep = entry.child->phase() == Phase::kStarted && (!kill_all || entry.child->traits().detached);
    entry.ears.Forget(epoll_.number());
    if (!keep) entry.child->Kill();
    Adopt(std::move(entry.child));
  }
  // A killed child is gone within a millisecond as a rule: then no zombie is left for a later clone to reap. The thread
  // of a Worker keeps nobody waiting, and a busy host may need longer.
  entries_.clear();
  constexpr timespec kPause = {0, 500'000};
  const int rounds = kill_all ? 2000 : 20;
  for (int round = 0; ReapAdopted() > 0 && round < rounds; round++) nanosleep(&kPause, nullptr);
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

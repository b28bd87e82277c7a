// Wake-ups: channel and pidfds of all children in one epoll descriptor, which libuv polls.
#include "watch/watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <vector>

#include "watch/reaper.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;
constexpr uint64_t kRecheckMilliseconds = 1;

enum class Source : uint32_t { kProcess = 0, kChannel = 1, kWake = 2 };

uint64_t Tag(uint32_t id, Source source) { return uint64_t{id} << 2 | static_cast<uint32_t>(source); }

}  // namespace

Errno Watch::Open(uv_loop_t* loop, Listener* listener, Watch** watch) {
  Descriptor epoll = AboveStdio(Descriptor(epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll.open()) return Errno::Last();
  Descriptor wake = AboveStdio(Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!wake.open()) return Errno::Last();
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = Tag(0, Source::kWake);
  if (epoll_ctl(epoll.number(), EPOLL_CTL_ADD, wake.number(), &event) != 0) return Errno::Last();

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

void Watch::FollowOne(uint32_t id, int descriptor, int* followed) {
  if (descriptor == *followed) return;
  Forget(followed);
  if (descriptor < 0) return;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = Tag(id, followed == &entries_[id].channel ? Source::kChannel : Source::kProcess);
  if (epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) == 0) {
    *followed = descriptor;
  } else {
    entries_[id].deaf = true;
  }
}

// epoll follows open files, not numbers: while a child of another thread has a copy of the descriptor, closing ours
// would leave it in the set. So it is taken out by name, before it is closed.
void Watch::Forget(int* followed) {
  if (*followed >= 0) epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, *followed, nullptr);
  *followed = -1;
}

void Watch::Follow(uint32_t id, Entry* entry) {
  const auto pidfd = [](const Process& process) {
    return process.present() && !process.traced() ? process.pidfd() : -1;
  };
  Child& child = *entry->child;
  entry->deaf = false;
  FollowOne(id, child.channel(), &entry->channel);
  FollowOne(id, pidfd(child.middle()), &entry->middle);
  FollowOne(id, pidfd(child.program()), &entry->program);
  child.CloseReaped();
  if (entry->deaf || child.wants_recheck()) Recheck();
}

void Watch::HearChannel(uint32_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.child->channel() < 0) return;
  Entry& entry = found->second;
  // Taken out first: Receive() closes the descriptor at its end.
  Forget(&entry.channel);
  const Child::Message message = entry.child->Receive();
  Follow(id, &entry);
  if (message == Child::Message::kWaiting) listener_->Hear(id, News::kWaiting, *entry.child);
}

void Watch::Settle(uint32_t id) {
  for (;;) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const bool changed = entry.child->Advance();
    Follow(id, &entry);
    if (!changed) return;
    switch (entry.child->phase()) {
      case Phase::kStarting:
        return;
      case Phase::kStarted:
        Forget(&entry.channel);
        listener_->Hear(id, News::kStarted, *entry.child);
        break;
      case Phase::kEnded:
      case Phase::kFailed: {
        Entry last = std::move(entry);
        Forget(&last.channel);
        Forget(&last.middle);
        Forget(&last.program);
        if (last.ref) referenced_--;
        entries_.erase(found);
        UpdateRef();
        // Whoever hears of the end finds no descriptor of it any more.
        last.child->CloseReaped();
        listener_->Hear(id, last.child->phase() == Phase::kEnded ? News::kEnded : News::kFailed, *last.child);
        return;
      }
    }
  }
}

void Watch::WakeUp() {
  epoll_event events[kEvents];
  const int count = epoll_wait(epoll_.number(), events, kEvents, 0);
  for (int i = 0; i < count; i++) {
    const auto id = static_cast<uint32_t>(events[i].data.u64 >> 2);
    switch (static_cast<Source>(events[i].data.u64 & 3)) {
      case Source::kWake: {
        uint64_t times = 0;
        if (read(wake_.number(), &times, sizeof(times)) < 0) break;
        // A thread writes it just before its end.
        Recheck();
        break;
      }
      case Source::kChannel:
        HearChannel(id);
        Settle(id);
        break;
      case Source::kProcess:
        Settle(id);
        break;
    }
  }
  ReapAdopted();
}

void Watch::Recheck() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&timer_)) != 0) return;
  uv_timer_start(
      &timer_,
      [](uv_timer_t* handle) {
        auto* watch = static_cast<Watch*>(handle->data);
        std::vector<uint32_t> unclear;
        for (const auto& [id, entry] : watch->entries_) {
          if (entry.deaf || entry.child->wants_recheck() || entry.child->traits().thread) unclear.push_back(id);
        }
        for (const uint32_t id : unclear) {
          watch->HearChannel(id);
          watch->Settle(id);
        }
      },
      kRecheckMilliseconds, 0);
}

void Watch::Close(bool kill_all, void (*closed)(void*), void* data) {
  closed_ = closed;
  closed_data_ = data;
  for (auto& [id, entry] : entries_) {
    const bool keep = entry.child->phase() == Phase::kStarted && (!kill_all || entry.child->traits().detached);
    Forget(&entry.channel);
    Forget(&entry.middle);
    Forget(&entry.program);
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

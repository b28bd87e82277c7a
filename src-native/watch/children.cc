// epoll follows open files, not numbers: while a child of another thread has a copy of a descriptor, closing ours would
// leave it in the set. So each is taken out by its number, before it is closed.
#include "watch/children.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "watch/reaper.h"

namespace nsclone {
namespace {

bool IsThread(const Child& child) { return child.traits().place == ChildTraits::Place::kThread; }

}  // namespace

Errno Children::Open() {
  epoll_ = AboveStdio(Descriptor(epoll_create1(EPOLL_CLOEXEC)));
  return epoll_.open() ? Errno{} : Errno::Last(SYS_epoll_create1);
}

uint32_t Children::Add(std::unique_ptr<Child> child) {
  do {
    last_id_ = (last_id_ + 1) & 0x3fffffff;
  } while (last_id_ == 0 || entries_.count(last_id_) != 0);
  Entry& entry = entries_[last_id_];
  entry.child = std::move(child);
  Follow(last_id_, &entry);
  return last_id_;
}

Child* Children::Find(uint32_t id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.child.get();
}

// False where the kernel has no memory to follow it.
bool Children::FollowOne(uint32_t id, int descriptor, int* followed) const {
  if (descriptor == *followed) return true;
  if (*followed >= 0) epoll_ctl(epoll(), EPOLL_CTL_DEL, *followed, nullptr);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  const bool added = descriptor >= 0 && epoll_ctl(epoll(), EPOLL_CTL_ADD, descriptor, &event) == 0;
  *followed = added ? descriptor : -1;
  return added || descriptor < 0;
}

void Children::Forget(Entry* entry) const {
  for (int* followed : {&entry->channel, &entry->middle, &entry->program}) FollowOne(0, -1, followed);
}

// Follows what there is to hear of the child now and nothing else, and lets it close what is over.
void Children::Follow(uint32_t id, Entry* entry) {
  Child& child = *entry->child;
  // The pidfd of a zombie that its tracer keeps stays readable: it is looked at by the clock.
  const auto pidfd = [](const Process& process) {
    return process.present() && !process.traced() ? process.pidfd() : -1;
  };
  const int program = child.waits_for_tree() ? -1 : pidfd(child.program());
  bool clear = FollowOne(id, child.channel(), &entry->channel);
  clear = FollowOne(id, child.needs_middle() ? pidfd(child.middle()) : -1, &entry->middle) && clear;
  clear = FollowOne(id, program, &entry->program) && clear;
  child.CloseOver();
  if (clear && !child.wants_recheck()) {
    unclear_.erase(id);
  } else {
    unclear_.insert(id);
  }
}

void Children::Look(uint32_t id, Listener* listener) {
  auto found = entries_.find(id);
  if (found == entries_.end() || later_.count(id) != 0) return;
  const bool waiting = found->second.child->Listen();
  Follow(id, &found->second);
  if (waiting && listener != nullptr) listener->Hear(id, News::kWaiting, *found->second.child);
  // Whoever has heard may have looked himself.
  while ((found = entries_.find(id)) != entries_.end()) {
    Entry& entry = found->second;
    const bool changed = entry.child->Advance();
    Follow(id, &entry);
    const Phase phase = entry.child->phase();
    const bool over = entry.child->over();
    if (!changed && !over) return;
    if (phase == Phase::kStarted) {
      if (listener != nullptr && !listener->Hear(id, News::kStarted, *entry.child)) return LookLater(id);
      continue;
    }
    if (listener == nullptr && !over) return;
    Entry last = std::move(entry);
    Forget(&last);
    unclear_.erase(id);
    later_.erase(id);
    entries_.erase(found);
    // Whoever hears of the end finds no descriptor of it any more.
    last.child->CloseOver();
    if (listener != nullptr) listener->Hear(id, phase == Phase::kEnded ? News::kEnded : News::kFailed, *last.child);
    if (!over) Adopt(std::move(last.child));
    return;
  }
}

void Children::LookLater(uint32_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  later_.insert(id);
  // A pidfd that is followed wakes us again by itself. A thread has none, and who is reaped has none that matters.
  if (found->second.program < 0) unclear_.insert(id);
}

void Children::LookAtUnclear(Listener* listener) {
  const std::vector<uint32_t> ids(unclear_.begin(), unclear_.end());
  for (const uint32_t id : ids) Look(id, listener);
}

void Children::LookAtThreads(Listener* listener) {
  std::vector<uint32_t> ids;
  for (const auto& [id, entry] : entries_) {
    if (IsThread(*entry.child)) ids.push_back(id);
  }
  for (const uint32_t id : ids) Look(id, listener);
}

void Children::End(uint32_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.child->Kill();
  Follow(id, &found->second);
}

int Children::SignalTree(uint32_t id, int signal) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return ESRCH;
  const int error = found->second.child->SignalTree(signal);
  Follow(id, &found->second);
  return error;
}

void Children::HoldTree(uint32_t id, bool hold) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.child->HoldTree(hold);
  // It may have ended, which nothing tells once more.
  if (!hold) unclear_.insert(id);
}

void Children::TakeAll(const std::function<void(std::unique_ptr<Child>)>& take) {
  for (auto& [id, entry] : entries_) {
    Forget(&entry);
    take(std::move(entry.child));
  }
  entries_.clear();
  unclear_.clear();
  later_.clear();
}

bool Children::AnyDying() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.child->dying(); });
}

}  // namespace nsclone

// Children by a number, and the epoll set that has an event when there is something to be seen of one.
#ifndef NSCLONE_WATCH_CHILDREN_H_
#define NSCLONE_WATCH_CHILDREN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "launch/descriptor.h"
#include "watch/child.h"

namespace nsclone {

enum class News : uint32_t { kWaiting = 0, kStarted = 1, kEnded = 2, kFailed = 3 };

class Listener {
 public:
  virtual ~Listener() = default;
  // May look at this child and at others, and end them. False where what was to run first has not: code that awaits
  // this.
  virtual bool Hear(uint32_t id, News news, const Child& child) = 0;
};

class Children {
 public:
  // Ids have 30 bits and are never 0: what else is in the epoll set may have other numbers.
  Errno Open();
  int epoll() const { return epoll_.number(); }

  uint32_t Add(std::unique_ptr<Child> child);
  Child* Find(uint32_t id);
  size_t size() const { return entries_.size(); }

  // Hears what the child has to say, and takes it as far as the facts allow. Its end takes it out of here.
  void Look(uint32_t id, Listener* listener);
  void LookAtUnclear(Listener* listener);
  // A thread wakes us before its end, and does not say which it is.
  void LookAtThreads(Listener* listener);
  // What was to run before some of them are looked at again is about to: until now, looking at them did nothing.
  void GoOn() { later_.clear(); }
  // Nothing wakes for what is to be seen next of some of them.
  bool has_unclear() const { return !unclear_.empty(); }
  // SIGKILL for every process of a child.
  void End(uint32_t id);
  // A signal for a child and what it has started: 0, or an errno.
  int SignalTree(uint32_t id, int signal);
  // The end of a child is told only when it is let go of.
  void HoldTree(uint32_t id, bool hold);
  // Gives them all away.
  void TakeAll(const std::function<void(std::unique_ptr<Child>)>& take);
  bool AnyDying() const;

 private:
  // A child, and its descriptors that are followed.
  struct Entry {
    std::unique_ptr<Child> child;
    int channel = -1;
    int middle = -1;
    int program = -1;
  };

  void Follow(uint32_t id, Entry* entry);
  void LookLater(uint32_t id);
  bool FollowOne(uint32_t id, int descriptor, int* followed) const;
  void Forget(Entry* entry) const;

  Descriptor epoll_;
  std::unordered_map<uint32_t, Entry> entries_;
  std::unordered_set<uint32_t> unclear_;
  std::unordered_set<uint32_t> later_;
  uint32_t last_id_ = 0;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_CHILDREN_H_

// A command with all that it has started, as far as both can be ended together.
#ifndef NSCLONE_WATCH_TREE_H_
#define NSCLONE_WATCH_TREE_H_

#include <cstdint>
#include <memory>

#include "watch/process.h"

namespace nsclone {

enum class Left : uint8_t {
  kNobody,
  kSomebody,
  kKept,     // nobody but those whom our SIGKILL does not reach: of other ids, or frozen by somebody else
  kUnknown,  // it cannot be seen
};

// Looks that cost much are rare, so that the event loop has most of the time for itself, however many processes there
// are.
class Pace {
 public:
  // Whether it is time for a look; `Looked` is called after it.
  bool Due();
  void Looked();
  void Restart();

 private:
  int64_t pause_ = 0;
  int64_t began_ = 0;
  int64_t next_ = 0;
};

class Tree {
 public:
  Tree() = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  virtual ~Tree() = default;

  // Sends a signal to all of it. `leader` is the command, which may have ended. 0, or an errno; ESRCH where nobody is
  // left.
  virtual int Signal(const Process& leader, int signal) = 0;
  // Who of it lives.
  virtual Left Look(const Process& leader) = 0;
  // Whether the command, once it has ended, must not be reaped while the others are to be signalled.
  virtual bool needs_leader() const { return false; }
  // Once more for those that a SIGKILL may have missed.
  virtual void KillOn(const Process& leader) { static_cast<void>(leader); }
};

// The process group that the command leads.
std::unique_ptr<Tree> GroupTree();

// A cgroup of version 2: its folder, and its files cgroup.kill and cgroup.events. It is taken until the tree is gone.
std::unique_ptr<Tree> CgroupTree(Descriptor folder, Descriptor kill, Descriptor events);

// A cgroup of the freezer of version 1: its folder, and its file freezer.state.
std::unique_ptr<Tree> FreezerTree(Descriptor folder, Descriptor state);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_TREE_H_

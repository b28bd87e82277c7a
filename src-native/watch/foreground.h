// The foreground of a terminal, which a child has for as long as it lives: where Ctrl-C arrives, and who may read.
#ifndef NSCLONE_WATCH_FOREGROUND_H_
#define NSCLONE_WATCH_FOREGROUND_H_

#include <sys/types.h>

#include "launch/descriptor.h"

namespace nsclone {

class Foreground {
 public:
  Foreground() = default;
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;
  ~Foreground() { TakeBack(); }

  // To a process group of our session. EBUSY where we do not have it; ENOTTY where this does not control our session.
  int Give(int terminal, pid_t group);
  // Back to ourselves, for good, unless the shell that we are a job of has taken it meanwhile.
  void TakeBack();
  // The same for as long as the group is stopped. Nothing where it was not given, or is back already.
  void TakeBackForNow();
  // To the group that is about to go on, where it is ours to give.
  void GiveAgain(pid_t group);
  bool given() const { return terminal_.open(); }

 private:
  Descriptor terminal_;
  bool is_back_ = false;
};

// Whether it is the end of a terminal that is not a program's, see pts(4). Asks nobody but the kernel: no file system
// that might not answer.
bool IsTerminalMaster(int descriptor);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_FOREGROUND_H_

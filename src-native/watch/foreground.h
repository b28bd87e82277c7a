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

  // A terminal that may be given: our own descriptor of it may be closed by then, or be of something else. ENOTTY where
  // this does not control our session.
  int Hold(int terminal);
  // To a process group of our session. EBUSY where we do not have it; ENOTTY where none is held.
  int Give(pid_t group);
  // Back to ourselves, for good, unless the shell that we are a job of has taken it meanwhile. From the group also
  // where it was back already: somebody else may have let it go on, and it takes the foreground by itself.
  void TakeBack();
  // The same for as long as the group is stopped. Nothing where it was not given, or is back already.
  void TakeBackForNow();
  // To the group that is about to go on, where it is ours to give.
  void GiveAgain(pid_t group);
  bool given() const { return group_ != 0; }

 private:
  Descriptor terminal_;
  pid_t group_ = 0;  // that has got it
  bool is_back_ = false;
};

// Whether it is the end of a terminal that is not a program's, see pts(4). Asks nobody but the kernel: no file system
// that might not answer.
bool IsTerminalMaster(int descriptor);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_FOREGROUND_H_

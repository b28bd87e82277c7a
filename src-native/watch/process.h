// One process that we made: known by its pidfd until it is reaped.
#ifndef NSCLONE_WATCH_PROCESS_H_
#define NSCLONE_WATCH_PROCESS_H_

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>

#include "launch/descriptor.h"

namespace nsclone {

// How a process ended. Neither code nor signal where the kernel would not tell: never a made-up 0.
struct End {
  int code = -1;
  int signal = 0;
  bool core_dumped = false;
  bool usage_known = false;
  rusage usage = {};
};

// What a wait status, as wait(2) has it, says.
End EndOf(int status);

class Process {
 public:
  Process() = default;
  Process(pid_t pid, Descriptor pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  // A pid that the kernel told us of: race-free, as an own child that nobody has reaped keeps its number. Reaped where
  // somebody else has; not known where there is no descriptor left.
  static Process Open(pid_t pid);

  bool known() const { return pid_ != 0; }
  bool reaped() const { return reaped_; }
  // It may still run, or waits to be reaped.
  bool present() const { return known() && !reaped_; }
  // Ended, and its tracer has not let go of it. Its pidfd stays readable all the while.
  bool traced() const { return traced_ && !reaped_; }
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.number(); }
  const End& end() const { return end_; }

  // It has ended; it may still have to be reaped.
  bool Ended() const;
  // Takes the status of an ended process. False where it is not to be had yet: a tracer sees a zombie before its parent
  // does.
  bool Reap();
  int Signal(int signal) const;
  void Close() { pidfd_.Close(); }

  // Whether the process, alive or a zombie, is past the exec of the user's program. In the stub the name tells: no exec
  // can produce one with a slash. In place the flag PF_FORKNOEXEC tells, which the first exec clears. Unknown where
  // /proc is missing, hides the process or belongs to another pid namespace, and where somebody else has reaped it.
  enum class Executed : uint8_t { kNo, kYes, kUnknown };
  Executed HasExecuted(bool in_stub) const;

 private:
  pid_t pid_ = 0;
  Descriptor pidfd_;
  bool reaped_ = false;
  bool traced_ = false;
  End end_;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_PROCESS_H_

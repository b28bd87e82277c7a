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
  // Of our own clone.
  Process(pid_t pid, Descriptor pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  // A process that the kernel says was born to us, with the descriptor that came along, if one did. An own child that
  // nobody has reaped keeps its number: it can be opened, signalled and reaped by that. Not known where it is no child
  // of ours.
  static Process Born(pid_t pid, Descriptor pidfd);
  // A child of ours that is still in set-up, by its name, which nobody else of ours has, and by its number in the pid
  // namespace that it was made in; 0 where there is none. It looks at every process.
  static pid_t FindBelow(pid_t number, const char* stub_name);
  // The same where that pid namespace may be our own.
  static pid_t FindStub(pid_t number, const char* stub_name);

  bool known() const { return pid_ != 0; }
  bool reaped() const { return reaped_; }
  // It may still run, or waits to be reaped.
  bool present() const { return known() && !reaped_; }
  // Ended, and its tracer has not let go of it. Its pidfd stays readable all the while.
  bool traced() const { return traced_ && !reaped_; }
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.number(); }
  const End& end() const { return end_; }

  // Nothing tells of its end: there was no descriptor left for its pidfd, or there is none to be had.
  bool silent() const { return present() && !pidfd_.open(); }
  // Gets the pidfd of a silent one. 0 once it is there, or the process gone; EAGAIN for a shortage; else the errno of a
  // refusal that will not change.
  int Open();

  // Nobody has reaped it, so that its number is still its own.
  bool IsOurs() const;
  // It has ended; it may still have to be reaped.
  bool Ended() const;
  // It has been stopped since this was asked last, see WUNTRACED in wait(2).
  bool HasStopped() const;
  // Takes the status of an ended process. False where it is not to be had yet: a tracer sees a zombie before its parent
  // does.
  bool Reap();
  // ESRCH for one that has ended, reaped or not.
  int Signal(int signal) const;
  void Close() { pidfd_.Close(); }

  // Whether the process, alive or a zombie, is past the exec of the user's program. Tells by the flag PF_FORKNOEXEC,
  // which an exec clears; where the stub's exec has cleared it already, by the name that the stub has, which no program
  // can know. Unknown where there is no /proc of ours, where it hides the process, and where somebody else has reaped
  // it.
  enum class Executed : uint8_t { kNo, kYes, kUnknown };
  Executed HasExecuted(const char* stub_name) const { return HasExecuted(pid_, 0, stub_name); }
  // The same for a process that is no child of ours but that of `parent`.
  static Executed HasExecuted(pid_t pid, pid_t parent, const char* stub_name);

 private:
  pid_t pid_ = 0;
  Descriptor pidfd_;
  bool reaped_ = false;
  bool traced_ = false;
  End end_;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_PROCESS_H_

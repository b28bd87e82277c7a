// A child from its clone to its end: which of its processes live, and what can be said of it.
#ifndef NSCLONE_WATCH_CHILD_H_
#define NSCLONE_WATCH_CHILD_H_

#include <cstdint>
#include <memory>

#include "launch/launch.h"
#include "watch/process.h"

namespace nsclone {

enum class Phase : uint8_t {
  kStarting,  // in set-up
  kStarted,   // the command has been executed, or the recorded line is done
  kEnded,     // all reaped after it had started
  kFailed,    // all reaped without having started
};

struct ChildTraits {
  bool in_place = false;
  bool thread = false;
  bool executes = false;  // in place, and the program ends in an execve(2)
  bool forks = false;     // a second clone comes: the first process is only the middle one
  bool detached = false;
  bool init = false;  // the program runs beside a pid 1 of ours
};

class Child {
 public:
  Child(Launched launched, ChildTraits traits);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Takes one step along the phases where the facts allow it, never waiting. True when the phase has changed.
  bool Advance();
  // The facts are not clear yet and nothing will wake us for them.
  bool wants_recheck() const { return wants_recheck_ || middle_.traced() || program_.traced(); }
  // Closes what is left of a middle process that is reaped.
  void CloseReaped();
  // For a thread: the descriptor that it writes to before its end must stay ours until then.
  void Keep(Descriptor wake) { wake_ = std::move(wake); }

  // SIGKILL for whatever there is of it, now and as it appears.
  void Kill();
  int Signal(int signal) const;
  // Lets a waiting stub go on.
  int Go() const;

  enum class Message : uint8_t { kNone, kWaiting, kClosed };
  // What the channel has to say; at its end it is closed.
  Message Receive();

  Phase phase() const { return phase_; }
  // Killed, and about to be gone.
  bool dying() const { return ending_ && !traits_.thread; }
  // Whether the report and the data are still there.
  bool has_memory() const { return file_ != nullptr; }
  const ChildTraits& traits() const { return traits_; }
  const Report& report() const { return *file_->report(); }
  const Process& program() const { return program_; }
  const Process& middle() const { return middle_; }
  int channel() const { return channel_.number(); }
  // How it ended; of a failed one, how its last process died.
  End end() const;
  // The memory that a recorded program wrote to.
  const uint8_t* data(uint64_t offset, uint64_t length) const;

 private:
  void FindProgram();
  bool ProgramEnded() const;
  bool HasStarted(bool ended);
  bool AdvanceStarting();
  bool AdvanceStarted();
  bool ReapProgram();

  ChildTraits traits_;
  Phase phase_ = Phase::kStarting;
  bool ending_ = false;
  bool wants_recheck_ = false;
  bool unclear_ = false;  // inside the exec or past it, and nobody can tell which
  uint32_t unclear_rounds_ = 0;
  std::unique_ptr<MemoryFile> file_;
  Descriptor channel_;
  Process middle_;
  Process program_;
  size_t stack_;
  Descriptor wake_;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_CHILD_H_

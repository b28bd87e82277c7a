// A child from its clone to its end: which of its processes live, and what can be said of it.
#ifndef NSCLONE_WATCH_CHILD_H_
#define NSCLONE_WATCH_CHILD_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "launch/launch.h"
#include "watch/foreground.h"
#include "watch/process.h"
#include "watch/tree.h"

namespace nsclone {

enum class Phase : uint8_t {
  kStarting,  // in set-up
  kStarted,   // the command has been executed, or the recorded line is done
  kEnded,     // all reaped after it had started
  kFailed,    // ended without having started, or killed: its tracer, or a freezer, may keep the last process
};

struct ChildTraits {
  // Where it runs its program. Each leaves other facts behind, and has a judge of its own.
  enum class Place : uint8_t { kStub, kHere, kThread };
  Place place = Place::kStub;
  bool executes = false;  // in place, and the program ends in an execve(2)
  bool forks = false;     // another clone comes: the first process is only the middle one
  bool detached = false;
  bool init = false;     // the program runs beside a pid 1 of ours
  bool exposed = false;  // others may run beside it while it has the report mapped
};

class Child {
 public:
  Child(Launched launched, ChildTraits traits);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Takes one step along the phases where the facts allow it, never waiting. True when the phase has changed.
  bool Advance();
  // Nothing will wake us for what is to be known next: it has to be looked at again.
  bool wants_recheck() const {
    return unsure_ || first_.present() || middle_.traced() || middle_.silent() || program_.traced() || is_silent() ||
           (waits_for_tree() && tree_ending_);
  }
  // Of what was to end together with it somebody lives on.
  bool tree_left() const { return tree_left_; }
  // The command has ended, and what it has started has not.
  bool waits_for_tree() const { return waits_for_tree_; }
  // Closes what is at its end.
  void CloseOver();
  // For a thread: the descriptor that it writes to before its end must stay ours until then.
  void Keep(Descriptor wake) { wake_ = std::move(wake); }

  // SIGKILL for whatever there is of it, now and as it appears.
  void Kill();
  int Signal(int signal);
  // What ends together with it.
  void Plant(std::unique_ptr<Tree> tree) { tree_ = std::move(tree); }
  // The same for all of that, whose end is then waited for. ESRCH once the command has ended by itself.
  int SignalTree(int signal);
  // Whether the end of the command is told only when it is let go of, or all of it has ended.
  void HoldTree(bool hold) { tree_held_ = hold; }
  // Lets a waiting stub go on.
  int Go() const;
  // From now on it lives on when its environment ends.
  void Outlive() { outlives_ = true; }
  bool outlives() const { return outlives_; }
  // Hears all that the channel has to say. True where the stub waits for us.
  bool Listen();

  Phase phase() const { return phase_; }
  // All is said, and there is nothing to reap any more.
  bool over() const {
    return (phase_ == Phase::kEnded || phase_ == Phase::kFailed) &&
           (is_thread() || (!program_.present() && !is_between()));
  }
  // Killed, and about to be gone.
  bool dying() const { return (ending_ || rounds_killed_ != 0) && !is_thread(); }
  // Whether the report and the data are still there.
  bool has_memory() const { return file_ != nullptr; }
  const ChildTraits& traits() const { return traits_; }
  const Process& program() const { return program_; }
  const Process& middle() const { return middle_; }
  // Once the program is known, nothing is to be heard of the middle process any more: it is reaped by the way.
  bool needs_middle() const { return phase_ != Phase::kStarting || !program_.present() || channel() < 0; }
  // -1 once it is at its end.
  int channel() const { return channel_ended_ ? -1 : channel_.number(); }

  // How far it is, while that is true: the number of an instruction, or of what comes before the first one.
  uint32_t instruction() const;
  // Why it failed: an errno, or 0 where it was killed.
  int32_t error() const { return refusal_ != 0 ? refusal_ : file_->report()->error; }
  // How it ended; of a failed one, how its last process died.
  End end() const;
  // What a recorded program kept, and the memory that it wrote to.
  int64_t result(uint32_t slot) const { return file_->report()->results[slot]; }
  const uint8_t* data(uint64_t offset, uint64_t length) const;
  // What the kernel has said of its failure.
  std::string_view explanation() const;
  // A namespace that it has handed over, by its place in the order of its program; -1 where it has not.
  int handed(size_t place) const { return place < namespaces_.size() ? namespaces_[place].number() : -1; }
  // The terminal that it has handed over, once. Not open where that is none.
  Descriptor TakeTerminal();
  // A terminal whose foreground it is to have. ENOTTY where that is none of ours.
  int HoldForeground(int terminal) { return foreground_.Hold(terminal); }
  // Until its end. EBUSY where the foreground is not ours to give.
  int GiveForeground() { return foreground_.Give(program_.pid()); }
  // It may have been stopped: then the foreground is ours until it gets SIGCONT by Signal(). False where it has none.
  bool WatchForeground();

 private:
  enum class Verdict : uint8_t {
    kWait,    // something will wake us
    kUnsure,  // nothing will: it has to be looked at again
    kStarted,
    kFailed,
  };

  // A thread has no pidfd.
  bool is_silent() const { return !is_thread() && program_.silent(); }
  bool is_thread() const { return traits_.place == ChildTraits::Place::kThread; }
  State state() const;
  // A process is left that is on its way to make the program.
  bool is_between() const { return middle_.present() || first_.present(); }
  bool ReceiveOne(bool* waiting);
  void FindMiddle(pid_t pid, Descriptor pidfd);
  void FindProgram(pid_t pid, Descriptor pidfd);
  Verdict Judge();
  Verdict JudgeStub();
  Verdict JudgeBelow();
  bool HasRunBesideInit();
  Verdict JudgeProgram();
  Verdict JudgeExecuted(const char* stub_name, bool ended);
  Verdict JudgeInit(bool ended);
  Verdict JudgeHere();
  Verdict JudgeThread();
  bool ReapProgram();
  void KillProgram();
  bool TreeIsOver();
  bool IsKept();

  ChildTraits traits_;
  Phase phase_ = Phase::kStarting;
  bool ending_ = false;
  bool outlives_ = false;
  bool unsure_ = false;
  bool channel_ended_ = false;
  uint32_t unclear_rounds_ = 0;
  uint32_t dying_rounds_ = 0;
  pid_t inner_ = 0;  // the program's process beside a pid 1
  int refusal_ = 0;  // why there is no pidfd of the program
  char name_[16];
  std::unique_ptr<MemoryFile> file_;
  Descriptor channel_;
  Process first_;  // with two middle ones the one that is about to end
  Process middle_;
  Process program_;
  std::unique_ptr<Tree> tree_;
  bool tree_held_ = false;
  bool tree_ending_ = false;
  bool tree_left_ = false;
  bool waits_for_tree_ = false;
  uint32_t rounds_killed_ = 0;  // after a SIGKILL for the tree; 0 before
  size_t stack_;
  Descriptor wake_;
  std::vector<Descriptor> namespaces_;
  Descriptor terminal_;
  Foreground foreground_;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_CHILD_H_

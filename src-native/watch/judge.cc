// What has become of a child, by three facts: what the channel says and its end, its processes, and the report page.
#include <csignal>

#include "watch/child.h"

namespace nsclone {
namespace {

// Rounds of a millisecond in which what is not clear yet becomes so.
constexpr uint32_t kPatience = 100;

}  // namespace

Child::Verdict Child::Judge() {
  switch (traits_.place) {
    case ChildTraits::Place::kStub:
      return JudgeStub();
    case ChildTraits::Place::kHere:
      return JudgeHere();
    case ChildTraits::Place::kThread:
      return JudgeThread();
  }
  return Verdict::kWait;
}

// A command. Its channel is closed by the exec and by death, so its end says that there is something to find out.
Child::Verdict Child::JudgeStub() {
  if (traits_.forks && !program_.known()) {
    if (is_between()) return Verdict::kWait;
    if (first_.known()) return JudgeBelow();
    const pid_t pid = file_->report()->pid;
    // Where there is a second process, its first word comes, or the end of the channel.
    if (pid != 0 && channel() >= 0 && !ending_) return Verdict::kWait;
    // Whoever speaks does so before it makes another process, whose number is one of a joined pid namespace: what was
    // read while nobody had spoken is one of ours.
    Listen();
    if (first_.known() || program_.known()) return Verdict::kUnsure;
    // It has not said a word, so nobody but the kernel can have written its number. That is one of ours, or of the pid
    // namespace that this thread's children are born in: here somebody else of ours may have it.
    const pid_t found = pid == 0 ? 0 : Process::FindStub(pid, name_);
    if (found != 0) FindProgram(found, {});
    if (!program_.known()) return Verdict::kFailed;
  }
  return JudgeProgram();
}

// Below a joined pid namespace its number is one of that, and nothing to us: it tells itself who it is. Whoever has
// been killed or stopped before is looked for, as nobody else would reap it, and the namespace would wait for that for
// ever.
Child::Verdict Child::JudgeBelow() {
  if (channel() >= 0 && !ending_) return Verdict::kWait;
  if (channel() >= 0 && ++unclear_rounds_ <= kPatience) return Verdict::kUnsure;
  const pid_t pid = Process::FindBelow(file_->report()->pid, name_);
  if (pid != 0) FindProgram(pid, {});
  return program_.known() ? JudgeProgram() : Verdict::kFailed;
}

// Once its process is known.
Child::Verdict Child::JudgeProgram() {
  const bool ended = program_.Ended();
  if (ended && ending_ && traits_.forks && !first_.known()) {
    // What it has said before it was ended: that it was not the last one, and another is to be ended.
    Listen();
    if (!program_.known()) return Verdict::kUnsure;
  }
  if (!ended && channel() >= 0) return Verdict::kWait;
  if (traits_.init) return JudgeInit(ended);
  // It executes nothing, and what it has said before its end is there to be heard.
  if (ended && state() == State::kDone) {
    Listen();
    return Verdict::kStarted;
  }
  if (state() != State::kExec) return ended ? Verdict::kFailed : Verdict::kWait;
  return JudgeExecuted(traits_.forks ? "" : name_, ended);
}

// Of a pid 1 that has ended. It blocks all signals: of these two it ends by reboot(2) alone, which something in the
// container has called, see reboot_pid_ns() in the kernel.
bool Child::HasRunBesideInit() {
  if ((file_->report()->status & kStatusExecuted) != 0) return true;
  if (ending_ || state() != State::kExec || !ReapProgram()) return false;
  const int signal = program_.end().signal;
  return signal == SIGINT || signal == SIGHUP;
}

// A program beside a pid 1, which has let go of the channel before. What it says of the program counts only where
// nobody else can tell any more, and then it is the container's own end that it tells of.
Child::Verdict Child::JudgeInit(bool ended) {
  if (ended) return HasRunBesideInit() ? Verdict::kStarted : Verdict::kFailed;
  if (inner_ == 0) return Verdict::kWait;
  switch (Process::HasExecuted(inner_, program_.pid(), "")) {
    case Process::Executed::kYes:
      return Verdict::kStarted;
    case Process::Executed::kNo:
      return Verdict::kUnsure;
    case Process::Executed::kUnknown:
      break;
  }
  // It has ended, and pid 1 has not.
  const int32_t status = file_->report()->status;
  if ((status & kStatusExecuted) != 0) return Verdict::kStarted;
  if ((status & kStatusKnown) != 0) {
    // Nothing was executed. Whoever was let in while it was held may keep pid 1 alive: all of that ends with it.
    if (!ending_) Kill();
    return Verdict::kWait;
  }
  // Gone, and pid 1 goes with it; or hidden from us.
  return ++unclear_rounds_ > kPatience ? Verdict::kStarted : Verdict::kUnsure;
}

// Inside execve(2) or past it: which of the two, only the process can tell.
Child::Verdict Child::JudgeExecuted(const char* stub_name, bool ended) {
  switch (program_.HasExecuted(stub_name)) {
    case Process::Executed::kYes:
      return Verdict::kStarted;
    case Process::Executed::kNo:
      if (stub_name[0] == '\0') return ended ? Verdict::kFailed : Verdict::kUnsure;
      // Whoever has looked at the stub knows its name, and a program may have taken it.
      break;
    case Process::Executed::kUnknown:
      break;
  }
  // Out of the channel and still alive all that time: not dying, so past the exec.
  if (!ended) return channel_ended_ && ++unclear_rounds_ > kPatience ? Verdict::kStarted : Verdict::kUnsure;
  if (!ReapProgram()) return Verdict::kWait;
  // Inside execve(2) a process can only be killed: one that exited was past it. Of one that somebody else has reaped
  // without a trace the same is to be believed.
  return program_.end().signal == 0 ? Verdict::kStarted : Verdict::kFailed;
}

// A recorded line in a process of its own: its results are all there when it has ended. Nothing wakes for its exec.
Child::Verdict Child::JudgeHere() {
  const bool ended = program_.Ended();
  if (!traits_.executes && !ended) return Verdict::kWait;
  if (state() == State::kExec) return JudgeExecuted("", ended);
  if (!ended) return Verdict::kUnsure;
  return state() == State::kDone ? Verdict::kStarted : Verdict::kFailed;
}

// A thread has no pidfd. It wakes us before its end, and that is over when the kernel has cleared its word.
Child::Verdict Child::JudgeThread() {
  const State last = state();
  if (StackPool::InPlace().left(stack_)) return last == State::kDone ? Verdict::kStarted : Verdict::kFailed;
  return last == State::kDone || last == State::kFailed ? Verdict::kUnsure : Verdict::kWait;
}

}  // namespace nsclone

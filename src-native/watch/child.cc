// Judges a child by three facts: the report page, the channel's end, and its processes. End-of-file and a readable
// pidfd only wake; what happened is in the page and in the process.
#include "watch/child.h"

#include <sys/socket.h>

#include <cerrno>
#include <csignal>

namespace nsclone {
namespace {

// Rounds of a millisecond for a process to die in.
constexpr uint32_t kPatience = 100;

}  // namespace

Child::Child(Launched launched, ChildTraits traits)
    : traits_(traits), file_(std::move(launched.file)), channel_(std::move(launched.channel)), stack_(launched.stack) {
  Process first(launched.pid, std::move(launched.pidfd));
  (traits.forks ? middle_ : program_) = std::move(first);
  wants_recheck_ = traits.executes;
}

Child::~Child() {
  MemoryFile::Release(std::move(file_));
  if (traits_.thread) StackPool::InPlace().Drop(stack_);
}

int Child::Go() const {
  const uint8_t go = 1;
  return send(channel_.number(), &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : errno;
}

Child::Message Child::Receive() {
  uint8_t message = 0;
  const ssize_t length = recv(channel_.number(), &message, 1, MSG_DONTWAIT);
#ifdef NSCLONE_FAULTS
  if (length == 1 && message == kKillMe) {
    Kill();
    return Message::kNone;
  }
#endif
  if (length == 1) {
    FindProgram();
    return Message::kWaiting;
  }
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return Message::kNone;
  channel_.Close();
  return Message::kClosed;
}

// The kernel writes the pid of the second clone into the page before that process runs.
void Child::FindProgram() {
  if (traits_.forks && !program_.known() && report().pid != 0) program_ = Process::Open(report().pid);
}

void Child::Kill() {
  ending_ = true;
  middle_.Signal(SIGKILL);
  FindProgram();
  program_.Signal(SIGKILL);
}

int Child::Signal(int signal) const { return traits_.thread ? ESRCH : program_.Signal(signal); }

bool Child::ProgramEnded() const {
  return traits_.thread ? StackPool::InPlace().left(stack_) : program_.known() && program_.Ended();
}

bool Child::HasStarted(bool ended) {
  const auto state =
      static_cast<State>(__atomic_load_n(const_cast<uint32_t*>(&file_->report()->state), __ATOMIC_ACQUIRE));
  unclear_ = false;
  // A line in place is done when its process has ended: only then are its results all there.
  if (state == State::kDone) return ended;
  if (state != State::kExec) return false;
  // A pid 1 says it itself, before it lets go of the channel.
  if (traits_.init) return (report().status & kStatusExecuted) != 0;
  const Process::Executed executed = program_.HasExecuted(!traits_.in_place);
  if (executed == Process::Executed::kYes) return true;
  // Inside execve(2), or dying: a few microseconds tell.
  wants_recheck_ = !ended;
  unclear_ = executed == Process::Executed::kUnknown;
  // Out of the channel and still alive: not dying, so past the exec.
  return unclear_ && !ended && !traits_.in_place && ++unclear_rounds_ > kPatience;
}

// True when there is nothing to reap any more.
bool Child::ReapProgram() { return traits_.thread || program_.reaped() || program_.Reap(); }

bool Child::AdvanceStarting() {
  FindProgram();
  if (ending_) program_.Signal(SIGKILL);
  if (traits_.forks && !program_.known()) {
    // Looked at after the middle process was reaped: no pid now means that there never was a second process.
    if (!middle_.reaped()) return false;
    FindProgram();
    if (program_.known()) return AdvanceStarting();
    // There is one, and no descriptor left for its pidfd.
    wants_recheck_ = report().pid != 0;
    if (wants_recheck_) return false;
    phase_ = Phase::kFailed;
    return true;
  }
  const bool ended = ProgramEnded();
  if (!ended && !traits_.executes && channel_.open()) return false;
  if (!ended && traits_.in_place && !traits_.executes) return false;
  // Nothing wakes for an exec in place, nor for the moment between a thread's last write and its end.
  const auto state = static_cast<State>(report().state);
  if (traits_.executes || (traits_.thread && (state == State::kDone || state == State::kFailed)))
    wants_recheck_ = !ended;
  if (HasStarted(ended)) {
    phase_ = Phase::kStarted;
    return true;
  }
  // A stub that said it failed is on its way out.
  if (!ended || middle_.present() || !ReapProgram()) return false;
  // Inside execve(2) a process can only be killed: one that exited was past it. Of one that somebody else has reaped
  // without a trace the same is to be believed.
  phase_ = unclear_ && program_.end().signal == 0 ? Phase::kStarted : Phase::kFailed;
  return true;
}

bool Child::AdvanceStarted() {
  // Past the exec nobody maps the file any more.
  if (!traits_.in_place && !traits_.init && !middle_.present()) MemoryFile::Release(std::move(file_));
  if (middle_.present() || !ProgramEnded() || !ReapProgram()) return false;
  phase_ = Phase::kEnded;
  return true;
}

bool Child::Advance() {
  wants_recheck_ = false;
  if (middle_.present() && middle_.Ended()) middle_.Reap();
  switch (phase_) {
    case Phase::kStarting:
      return AdvanceStarting();
    case Phase::kStarted:
      return AdvanceStarted();
    case Phase::kEnded:
    case Phase::kFailed:
      return false;
  }
  return false;
}

void Child::CloseReaped() {
  if (middle_.reaped()) middle_.Close();
  if (program_.reaped()) program_.Close();
}

End Child::end() const {
  if (traits_.thread) {
    End end;
    if (static_cast<State>(report().state) == State::kDone) end.code = report().status;
    return end;
  }
  if (traits_.init && file_ != nullptr && (report().status & kStatusKnown) != 0) {
    // The program's own, not what pid 1 made of it.
    End end = EndOf(report().status & 0xffff);
    end.usage_known = program_.end().usage_known;
    end.usage = program_.end().usage;
    return end;
  }
  return program_.known() ? program_.end() : middle_.end();
}

const uint8_t* Child::data(uint64_t offset, uint64_t length) const {
  Parts parts;
  const Header& header = *file_->header();
  if (!Locate(header, header.size, &parts) || length > header.data_size || offset > header.data_size - length) {
    return nullptr;
  }
  return file_->block() + parts.data + offset;
}

}  // namespace nsclone

// A child on its way: what it says, who it is, what it is sent, and its end. End-of-file and a readable pidfd only
// wake; what they mean, judge.cc says.
#include "watch/child.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "launch/stub_descriptor.h"
#include "watch/received.h"

namespace nsclone {
namespace {

// Rounds of a millisecond for a process to die in.
constexpr uint32_t kPatience = 100;
// The same for one that we have killed in set-up.
constexpr uint32_t kMostDying = 1000;

}  // namespace

Child::Child(Launched launched, ChildTraits traits)
    : traits_(traits), file_(std::move(launched.file)), channel_(std::move(launched.channel)), stack_(launched.stack) {
  memcpy(name_, launched.name, sizeof(name_));
  Process first(launched.pid, std::move(launched.pidfd));
  (traits.forks ? middle_ : program_) = std::move(first);
  unsure_ = traits.executes;
}

Child::~Child() {
  if (!traits_.exposed) MemoryFile::Release(std::move(file_));
  if (is_thread()) StackPool::InPlace().Drop(stack_);
}

int Child::Go() const {
  const uint8_t go = 1;
  return send(channel_.number(), &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : errno;
}

bool Child::Listen() {
  bool waiting = false;
  while (channel() >= 0 && ReceiveOne(&waiting)) {
  }
  return waiting;
}

// False when there is no more to hear for now.
bool Child::ReceiveOne(bool* waiting) {
  Received received = ReceiveFrom(channel_.number());
  if (received.length < 0 && errno == EAGAIN) return false;
  if (received.length != 1) {
    channel_ended_ = true;
    return false;
  }
  switch (static_cast<Message>(received.message)) {
    case Message::kWaiting:
      *waiting = true;
      break;
    case Message::kMiddle:
      FindMiddle(received.sender, std::move(received.pidfd));
      break;
    case Message::kBorn:
      FindProgram(received.sender, std::move(received.pidfd));
      break;
    case Message::kProgram:
      if (traits_.init && inner_ == 0) inner_ = received.sender;
      break;
    case Message::kNamespaces:
      // A second time where it has gone on into another user namespace.
      if (inner_ == 0) namespaces_ = std::move(received.descriptors);
      break;
    case Message::kTerminal:
      if (inner_ == 0 && !terminal_.open() && received.descriptors.size() == 1)
        terminal_ = std::move(received.descriptors[0]);
      break;
#ifdef NSCLONE_FAULTS
    case Message::kKillMe:
      Kill();
      break;
    case Message::kEndYourself:
      kill(getpid(), SIGKILL);
      break;
#endif
    default:
      break;
  }
  return true;
}

void Child::FindProgram(pid_t pid, Descriptor pidfd) {
  if (!traits_.forks || program_.known()) return;
  program_ = Process::Born(pid, std::move(pidfd));
  if (!program_.known()) return;
  if (ending_) KillProgram();
  // Whoever was on its way to make it has nothing more to do than to end. It may have been stopped right before, with
  // its copy of the channel: nobody is to wait for whoever lets it go on.
  first_.Signal(SIGKILL);
  middle_.Signal(SIGKILL);
}

// A pid namespace below one that is joined takes a process in that one, whose child the program is. The first process
// has nothing more to do than to end.
void Child::FindMiddle(pid_t pid, Descriptor pidfd) {
  if (!traits_.forks || first_.known()) return;
  // It has been ended before it spoke, and was taken for the last one.
  if (program_.known() && program_.pid() == pid) {
    first_ = std::move(middle_);
    middle_ = std::move(program_);
    program_ = Process();
    return;
  }
  if (program_.known()) return;
  first_ = std::move(middle_);
  middle_ = Process::Born(pid, std::move(pidfd));
  if (ending_) middle_.Signal(SIGKILL);
}

void Child::Kill() {
  if (!ending_) {
    ending_ = true;
    Listen();
  }
  first_.Signal(SIGKILL);
  middle_.Signal(SIGKILL);
  KillProgram();
  // What is not known yet, as it has not said a word, is found by looking.
  unsure_ = true;
}

// It may be past its exec, with nobody having looked since.
void Child::KillProgram() {
  if (program_.known()) SignalTree(SIGKILL);
  program_.Signal(SIGKILL);
}
int Child::Signal(int signal) {
  // Before it goes on: else its first read would stop it again.
  if (signal == SIGCONT) foreground_.GiveAgain(program_.pid());
  return is_thread() ? ESRCH : program_.Signal(signal);
}

bool Child::WatchForeground() {
  if (!foreground_.given()) return false;
  if (program_.HasStopped()) foreground_.TakeBackForNow();
  return true;
}

int Child::SignalTree(int signal) {
  if (tree_ == nullptr) return Signal(signal);
  const bool by_itself = !tree_ending_ && !tree_held_ && program_.Ended();
  if (phase_ == Phase::kEnded || by_itself) return ESRCH;
  const int error = tree_->Signal(program_, signal);
  if (error != 0 && error != ESRCH) return error;
  tree_ending_ = true;
  if (signal == SIGKILL && rounds_killed_ == 0) rounds_killed_ = 1;
  return error;
}

// The end of the command is the end of all once nobody is left of what ends together with it.
bool Child::TreeIsOver() {
  if (tree_ == nullptr) return true;
  waits_for_tree_ = true;
  if (!tree_ending_ && tree_held_) return false;
  const Left left = tree_ending_ ? tree_->Look(program_) : Left::kNobody;
  if (left != Left::kNobody) {
    if (rounds_killed_ != 0) rounds_killed_++;
    const bool lost = left != Left::kSomebody && rounds_killed_ > kPatience;
    if (!lost) {
      if (!tree_->needs_leader()) static_cast<void>(ReapProgram());
      if (rounds_killed_ != 0) tree_->KillOn(program_);
      return false;
    }
    tree_left_ = left == Left::kKept;
  }
  waits_for_tree_ = false;
  tree_ = nullptr;
  return true;
}

State Child::state() const {
  return static_cast<State>(__atomic_load_n(const_cast<uint32_t*>(&file_->report()->state), __ATOMIC_ACQUIRE));
}

uint32_t Child::instruction() const {
  if (refusal_ != 0) return kNoPidfd;
  return state() == State::kNew ? kArrivingInStub : file_->report()->instruction;
}

// True when there is nothing to reap any more.
bool Child::ReapProgram() { return is_thread() || !program_.known() || program_.reaped() || program_.Reap(); }

// Whether one that we have killed is still there after all this time.
bool Child::IsKept() {
  unsure_ = true;
  return ++dying_rounds_ > kMostDying;
}

bool Child::Advance() {
  for (Process* one : {&first_, &middle_}) {
    static_cast<void>(one->Open());
    if (one->present() && one->Ended()) one->Reap();
  }
  if (const int error = is_thread() ? 0 : program_.Open(); error != 0 && error != EAGAIN) {
    // There will never be a pidfd of it, and nobody can be given such a child.
    refusal_ = error;
    Kill();
  }
  unsure_ = false;
  switch (phase_) {
    case Phase::kStarting: {
      Verdict verdict = Judge();
      if (verdict == Verdict::kStarted && is_silent()) verdict = Verdict::kUnsure;
      unsure_ = verdict == Verdict::kUnsure;
      if (verdict == Verdict::kStarted) {
        phase_ = Phase::kStarted;
        return true;
      }
      // Whoever waits for a set-up that we have killed does not wait for whoever may keep it for ever: its tracer, or a
      // frozen cgroup of version 1, in which SIGKILL waits, too.
      const bool dying = ending_ && !is_thread();
      const bool failed = verdict == Verdict::kFailed;
      const bool kept = (dying || (failed && is_between())) && IsKept();
      if (!kept && (!failed || is_between())) return false;
      const bool alive = kept && program_.present() && !program_.Ended();
      if (!alive && !ReapProgram() && !(ending_ && program_.traced())) return false;
      phase_ = Phase::kFailed;
      if (instruction() == kEntering && error() == ETXTBSY) StubIsBusy();
      return true;
    }
    case Phase::kStarted:
      // Past the exec nobody maps the file any more.
      if (traits_.place == ChildTraits::Place::kStub && !traits_.exposed && !is_between())
        MemoryFile::Release(std::move(file_));
      if (!is_thread() && (!program_.Ended() || !TreeIsOver() || !ReapProgram())) return false;
      if (is_between() && !IsKept()) return false;
      phase_ = Phase::kEnded;
      return true;
    case Phase::kFailed:
      if (program_.present() && program_.Ended()) static_cast<void>(ReapProgram());
      return false;
    case Phase::kEnded:
      return false;
  }
  return false;
}

void Child::CloseOver() {
  // Whoever hears of the end may start the next one in the same cgroup.
  if (phase_ == Phase::kEnded || phase_ == Phase::kFailed) tree_ = nullptr;
  if (channel_ended_) channel_.Close();
  if (first_.reaped()) first_.Close();
  if (middle_.reaped()) middle_.Close();
  if (program_.reaped() && !waits_for_tree_) {
    program_.Close();
    namespaces_.clear();
    terminal_.Close();
  }
  // Before anybody hears of its end, who may want to read there.
  if (phase_ == Phase::kEnded || phase_ == Phase::kFailed) foreground_.TakeBack();
}

Descriptor Child::TakeTerminal() { return IsTerminalMaster(terminal_.number()) ? std::move(terminal_) : Descriptor(); }

End Child::end() const {
  if (is_thread()) {
    End end;
    if (state() == State::kDone) end.code = file_->report()->status;
    return end;
  }
  if (traits_.init && file_ != nullptr && (file_->report()->status & kStatusKnown) != 0) {
    // The program's own, not what pid 1 made of it.
    End end = EndOf(file_->report()->status & 0xffff);
    end.usage_known = program_.end().usage_known;
    end.usage = program_.end().usage;
    return end;
  }
  return program_.known() ? program_.end() : middle_.end();
}

std::string_view Child::explanation() const {
  const Report& report = *file_->report();
  const size_t length = std::min<size_t>(report.explained, sizeof(report.results));
  return {reinterpret_cast<const char*>(const_cast<const int64_t*>(report.results)), length};
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

// A cgroup that is a child's own, with those below it. Its files are read and written by descriptors that were opened
// before the child was made, so that nothing depends on what lies at a path later.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "watch/files.h"
#include "watch/members.h"
#include "watch/taken.h"
#include "watch/tree.h"

namespace nsclone {
namespace {

bool BeginsWith(int descriptor, const char* word) {
  std::string text;
  return ReadAll(descriptor, &text) == 0 && text.find(word) == 0;
}

bool Write(int descriptor, const char* text) {
  const auto length = static_cast<ssize_t>(strlen(text));
  return pwrite(descriptor, text, length, 0) == length;
}

class Cgroup : public Tree {
 public:
  explicit Cgroup(Descriptor folder) : folder_(std::move(folder)) {}
  ~Cgroup() override { LeaveCgroup(folder_.number()); }

 protected:
  // The command itself, too, where somebody has taken it out of the cgroup.
  int SignalAll(const Process& leader, int signal) const {
    std::set<pid_t> signalled;
    int sent = 0;
    const int error = SignalMembers(folder_.number(), signal, &signalled, &sent);
    if (signalled.count(leader.pid()) == 0 && leader.Signal(signal) == 0) sent++;
    // As kill(2) has it of a group.
    return sent > 0 ? 0 : error != 0 ? error : ESRCH;
  }

  const Descriptor folder_;
};

class KillableCgroup : public Cgroup {
 public:
  KillableCgroup(Descriptor folder, Descriptor kill, Descriptor events)
      : Cgroup(std::move(folder)), kill_(std::move(kill)), events_(std::move(events)) {}

  int Signal(const Process& leader, int signal) override {
    if (signal != SIGKILL || !KillAtOnce()) return SignalAll(leader, signal);
    static_cast<void>(leader.Signal(SIGKILL));
    return 0;
  }

  void KillOn(const Process& leader) override {
    if (!at_once_ && !KillAtOnce()) static_cast<void>(SignalAll(leader, SIGKILL));
  }

  Left Look(const Process& leader) override {
    if (!leader.Ended()) return Left::kSomebody;
    if (IsVacant(events_.number())) return Left::kNobody;
    // Somebody may have put us into it.
    if (!pace_.Due()) return Left::kSomebody;
    const Members members = MembersOf(folder_.number());
    pace_.Looked();
    return members.pids == std::set<pid_t>{getpid()} && members.error == 0 ? Left::kNobody : Left::kSomebody;
  }

 private:
  // The kernel sees to those that are being forked. Not where somebody has put us into it, or that cannot be told.
  bool KillAtOnce() { return at_once_ = IsElsewhere() && Write(kill_.number(), "1"); }

  // Whether we are in no part of it. Where its members do not let us see all of it: we were not when it was taken, as
  // nobody was, so not if we are where we were then.
  bool IsElsewhere() const {
    const Members members = MembersOf(folder_.number());
    if (members.pids.count(getpid()) != 0) return false;
    return members.error == 0 || IsWhereWhenTaken(folder_.number());
  }

  const Descriptor kill_;
  const Descriptor events_;
  bool at_once_ = false;
  Pace pace_;
};

class Freezer : public Cgroup {
 public:
  Freezer(Descriptor folder, Descriptor state) : Cgroup(std::move(folder)), state_(std::move(state)) {}

  ~Freezer() override {
    if (freezing_) Write(state_.number(), "THAWED");
  }

  int Signal(const Process& leader, int signal) override { return SignalAll(leader, signal); }

  // Whoever starts processes faster than they are killed is frozen first: it dies once it is thawed.
  void KillOn(const Process& leader) override {
    rounds_++;
    if (rounds_ < kBeforeFreezing) return static_cast<void>(SignalAll(leader, SIGKILL));
    // Nobody would thaw us, where somebody has put us into it.
    const Members members = MembersOf(folder_.number());
    const bool alone = members.error == 0 && members.pids.count(getpid()) == 0;
    if (!freezing_ && alone) {
      freezing_ = Write(state_.number(), "FROZEN");
      frozen_since_ = rounds_;
    }
    // One that waits for a disk is not to keep the others.
    const bool frozen = BeginsWith(state_.number(), "FROZEN");
    if (freezing_ && !frozen && rounds_ - frozen_since_ < kMostFreezing) return;
    SignalAll(leader, SIGKILL);
    if (!freezing_) return;
    Write(state_.number(), "THAWED");
    freezing_ = false;
    thawed_ = true;
  }

  Left Look(const Process& leader) override {
    if (!leader.Ended()) return Left::kSomebody;
    auto [members, error] = MembersOf(folder_.number());
    members.erase(getpid());
    if (error != 0) return Left::kSomebody;
    if (members.empty()) return Left::kNobody;
    // One above it may be frozen by somebody else: SIGKILL is of no use until it is thawed.
    const bool frozen = thawed_ && !BeginsWith(state_.number(), "THAWED");
    const auto refuses = [](pid_t pid) { return kill(pid, 0) != 0 && errno == EPERM; };
    return frozen || std::all_of(members.begin(), members.end(), refuses) ? Left::kKept : Left::kSomebody;
  }

 private:
  static constexpr uint32_t kBeforeFreezing = 8;
  static constexpr uint32_t kMostFreezing = 50;

  const Descriptor state_;
  uint32_t rounds_ = 0;
  uint32_t frozen_since_ = 0;
  bool freezing_ = false;
  bool thawed_ = false;
};

}  // namespace

std::unique_ptr<Tree> CgroupTree(Descriptor folder, Descriptor kill, Descriptor events) {
  return std::make_unique<KillableCgroup>(std::move(folder), std::move(kill), std::move(events));
}

std::unique_ptr<Tree> FreezerTree(Descriptor folder, Descriptor state) {
  return std::make_unique<Freezer>(std::move(folder), std::move(state));
}

}  // namespace nsclone

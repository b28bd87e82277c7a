// A cgroup that is a child's own, with those below it. Its files are read and written by descriptors that were opened
// before the child was made, so that nothing depends on what lies at a path later.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/proc.h"
#include "watch/tree.h"

namespace nsclone {
namespace {

// How often members are looked for that have come since.
constexpr int kMostPasses = 8;

using Identity = std::pair<dev_t, ino_t>;

// In which cgroups this process is, in the words of the kernel, and in the view of which cgroup namespace.
using Place = std::pair<Identity, std::string>;

struct Taken {
  std::mutex mutex;
  // Each with where we were when it was taken.
  std::map<Identity, Place> folders;
};

// Never destroyed: the last Worker may end while the process exits.
Taken& AllTaken() {
  static Taken* const taken = new Taken;
  return *taken;
}

// Fits kilobytes of numbers; from the beginning of the file. 0, or an errno.
int ReadAll(int descriptor, std::string* text) {
  char part[4096];
  ssize_t length = 0;
  while ((length = pread(descriptor, part, sizeof(part), static_cast<off_t>(text->size()))) > 0)
    text->append(part, length);
  return length == 0 ? 0 : errno;
}

Identity IdentityOf(int descriptor) {
  struct stat about = {};
  // glibc has a function of that name since 2.33 only; its struct is the kernel's on both architectures.
  syscall(SYS_fstat, descriptor, &about);
  return {about.st_dev, about.st_ino};
}

// Without a text where it cannot be told.
Place OwnPlace() {
  int proc = -1;
  if (FindProc(&proc) == Proc::kNone) return {};
  const Descriptor view(openat(proc, "thread-self/ns/cgroup", O_RDONLY | O_CLOEXEC));
  const Descriptor cgroups(openat(proc, "self/cgroup", O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!view.open() || !cgroups.open() || ReadAll(cgroups.number(), &text) != 0) return {};
  return {IdentityOf(view.number()), std::move(text)};
}

bool BeginsWith(int descriptor, const char* word) {
  std::string text;
  return ReadAll(descriptor, &text) == 0 && text.find(word) == 0;
}

bool Write(int descriptor, const char* text) {
  const auto length = static_cast<ssize_t>(strlen(text));
  return pwrite(descriptor, text, length, 0) == length;
}

struct Members {
  std::set<pid_t> pids;
  // Why not all of them are known: an errno, EMFILE for one.
  int error = 0;
};

// A cgroup that was removed has none.
bool IsGone(int error) { return error == ENOENT || error == ENODEV; }

void AddMembers(int folder, Members* members) {
  const Descriptor procs(openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC));
  if (!procs.open()) {
    if (!IsGone(errno)) members->error = errno;
    return;
  }
  std::string text;
  if (const int error = ReadAll(procs.number(), &text); error != 0 && !IsGone(error)) members->error = error;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    const long pid = strtol(at, &end, 10);
    if (end == at) break;
    // 0 is one of another pid namespace, which has no number here.
    if (pid > 0) members->pids.insert(static_cast<pid_t>(pid));
    at = *end == '\n' ? end + 1 : end;
  }
}

// A cgroup on the way down, and those right below it that are still to be looked into.
struct Level {
  Identity identity;
  std::vector<std::string> names;
};

// Looks at a cgroup.
Level LookInto(int folder, Members* members) {
  Level level = {IdentityOf(folder), {}};
  DIR* const all = OpenFolder(folder);
  if (all == nullptr) {
    if (!IsGone(errno)) members->error = errno;
    return level;
  }
  while (const dirent* const entry = readdir(all)) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") level.names.emplace_back(name);
  }
  closedir(all);
  return level;
}

// Those in a cgroup and in all below it. However deep somebody has made one below the other, few descriptors are open
// for it: the way back leads over "..", which is looked at, too.
Members MembersOf(int folder) {
  Members members;
  AddMembers(folder, &members);
  std::vector<Level> levels = {LookInto(folder, &members)};
  Descriptor deeper;
  const auto at = [&] { return levels.size() == 1 ? folder : deeper.number(); };
  while (!levels.empty()) {
    std::vector<std::string>& names = levels.back().names;
    if (names.empty()) {
      levels.pop_back();
      if (levels.size() < 2) continue;
      deeper = Descriptor(openat(deeper.number(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (deeper.open() && IdentityOf(deeper.number()) == levels.back().identity) continue;
      members.error = deeper.open() ? ESTALE : errno;
      break;
    }
    Descriptor below(openat(at(), names.back().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    names.pop_back();
    if (!below.open()) {
      if (!IsGone(errno)) members.error = errno;
      continue;
    }
    // Of a threaded one its domain tells, which is above it.
    Members here;
    AddMembers(below.number(), &here);
    members.pids.merge(here.pids);
    if (here.error != 0 && here.error != EOPNOTSUPP) members.error = here.error;
    levels.push_back(LookInto(below.number(), &members));
    deeper = std::move(below);
  }
  return members;
}

// Sends a signal to every member, and tells whether one could not be sent: an errno. A number that was read may be a
// stranger's a moment later. So each process is opened first, and signalled if the number is still in the cgroup then:
// either it is that process, or the one that was opened has ended.
int SignalMembers(int folder, int signal, std::set<pid_t>* signalled, int* sent) {
  int error = 0;
  for (int pass = 0; pass < kMostPasses; pass++) {
    std::vector<std::pair<pid_t, Descriptor>> opened;
    const Members members = MembersOf(folder);
    if (members.error != 0) error = members.error;
    for (const pid_t pid : members.pids) {
      if (signalled->count(pid) != 0 || pid == getpid()) continue;
      Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
      if (pidfd.open())
        opened.emplace_back(pid, std::move(pidfd));
      else if (errno != ESRCH)
        error = errno;
    }
    if (opened.empty()) break;
    const std::set<pid_t> still = MembersOf(folder).pids;
    for (const auto& [pid, pidfd] : opened) {
      if (still.count(pid) == 0) continue;
      signalled->insert(pid);
      if (syscall(SYS_pidfd_send_signal, pidfd.number(), signal, nullptr, 0) == 0)
        (*sent)++;
      else if (errno != ESRCH)
        error = errno;
    }
  }
  return error;
}

// By cgroup.events: neither in it nor below it is a process, of whatever pid namespace.
bool IsVacant(int events) {
  char text[256];
  const ssize_t length = pread(events, text, sizeof(text), 0);
  if (length < 0) return IsGone(errno);
  return std::string_view(text, length).find("populated 0") != std::string_view::npos;
}

Place PlaceWhenTaken(int folder) {
  Taken& taken = AllTaken();
  const std::lock_guard lock(taken.mutex);
  const auto found = taken.folders.find(IdentityOf(folder));
  return found == taken.folders.end() ? Place() : found->second;
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
    const Place now = OwnPlace();
    return members.error == 0 || (!now.second.empty() && now == PlaceWhenTaken(folder_.number()));
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

DIR* OpenFolder(int folder) {
  const int opened = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return opened < 0 ? nullptr : fdopendir(opened);
}

std::unique_ptr<Tree> CgroupTree(Descriptor folder, Descriptor kill, Descriptor events) {
  return std::make_unique<KillableCgroup>(std::move(folder), std::move(kill), std::move(events));
}

std::unique_ptr<Tree> FreezerTree(Descriptor folder, Descriptor state) {
  return std::make_unique<Freezer>(std::move(folder), std::move(state));
}

int TakeCgroup(int folder, int events) {
  Taken& taken = AllTaken();
  const std::lock_guard lock(taken.mutex);
  const Identity identity = IdentityOf(folder);
  if (taken.folders.count(identity) != 0) return EBUSY;
  // Before and after it is seen that nobody is in it, us included: who is moved meanwhile has no place that counts.
  Place place = OwnPlace();
  Members members;
  // A threaded one of version 2 neither tells who is in it nor ends as a whole: EOPNOTSUPP.
  if (events >= 0)
    AddMembers(folder, &members);
  else
    members = MembersOf(folder);
  if (members.error != 0) return members.error;
  if (events >= 0 ? !IsVacant(events) : !members.pids.empty()) return ENOTEMPTY;
  if (OwnPlace() != place) place = {};
  taken.folders.emplace(identity, std::move(place));
  return 0;
}

void LeaveCgroup(int folder) {
  Taken& taken = AllTaken();
  const std::lock_guard lock(taken.mutex);
  taken.folders.erase(IdentityOf(folder));
}

}  // namespace nsclone

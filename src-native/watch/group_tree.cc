// A process group. Its number is the pid of its leader, which nobody else gets while one of the two is there; but once
// both are gone it may be a stranger's.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "launch/proc.h"
#include "watch/files.h"
#include "watch/tree.h"

namespace nsclone {
namespace {

constexpr unsigned kWholeGroup = 1U << 2;  // PIDFD_SIGNAL_PROCESS_GROUP of Linux 6.9

// Whether a process lives and is in this group, by what /proc/PID/stat says of it.
bool IsLivingMember(int proc, const char* pid, pid_t group) {
  char path[32];
  char text[512];
  snprintf(path, sizeof(path), "%.10s/stat", pid);
  const Descriptor file(openat(proc, path, O_RDONLY | O_CLOEXEC));
  if (!file.open()) return false;
  const ssize_t length = read(file.number(), text, sizeof(text) - 1);
  if (length <= 0) return false;
  text[length] = '\0';
  const char* const rest = strrchr(text, ')');
  char state = '\0';
  int of_group = 0;
  long threads = 0;
  // ) state ppid pgrp session tty_nr tpgid flags, four faults, four times, priority nice num_threads
  if (rest == nullptr || sscanf(rest, ") %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld", &state,
                                &of_group, &threads) != 3) {
    return false;
  }
  // The first thread may have ended before others.
  const bool ended = (state == 'Z' || state == 'X') && threads <= 1;
  return of_group == group && !ended;
}

// Who lives in a group.
Left LivesOn(pid_t group) {
  int proc = -1;
  if (FindProc(&proc) != Proc::kOurs) return Left::kUnknown;
  DIR* const all = OpenFolder(proc);
  if (all == nullptr) return Left::kUnknown;
  Left left = Left::kNobody;
  while (const dirent* const entry = readdir(all)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !IsLivingMember(proc, entry->d_name, group)) continue;
    const bool refused = kill(atoi(entry->d_name), 0) != 0 && errno == EPERM;
    left = refused ? Left::kKept : Left::kSomebody;
    if (!refused) break;
  }
  closedir(all);
  return left;
}

class Group : public Tree {
 public:
  int Signal(const Process& leader, int signal) override {
    pace_.Restart();
    const bool alive = !leader.Ended();
    const int error = SignalGroup(leader, signal);
    // A leader may go to another group of its session.
    const bool outside = alive && (error != 0 || getpgid(leader.pid()) != leader.pid());
    return outside && leader.Signal(signal) == 0 ? 0 : error;
  }

  Left Look(const Process& leader) override {
    if (!leader.Ended()) return Left::kSomebody;
    if (by_pidfd_ && leader.reaped() && SignalThroughPidfd(leader, 0) == ESRCH) return Left::kNobody;
    // Nobody may signal it any more.
    if (!by_pidfd_ && !leader.IsOurs()) return Left::kNobody;
    if (!pace_.Due()) return seen_;
    seen_ = LivesOn(leader.pid());
    pace_.Looked();
    return seen_;
  }

  bool needs_leader() const override { return !by_pidfd_; }

 private:
  static int SignalThroughPidfd(const Process& leader, int signal) {
    return syscall(SYS_pidfd_send_signal, leader.pidfd(), signal, nullptr, kWholeGroup) == 0 ? 0 : errno;
  }

  int SignalGroup(const Process& leader, int signal) {
    // Somebody has put us into it.
    if (getpgrp() == leader.pid()) return EPERM;
    if (leader.pidfd() >= 0) {
      const int error = SignalThroughPidfd(leader, signal);
      if (error == 0 || error == ESRCH) {
        by_pidfd_ = true;
        return error;
      }
    }
    // An older kernel, or a filter.
    if (!leader.IsOurs()) return ESRCH;
    return kill(-leader.pid(), signal) == 0 ? 0 : errno;
  }

  // Whether the kernel knows the group by the pidfd, and so by more than a number.
  bool by_pidfd_ = false;
  Pace pace_;
  Left seen_ = Left::kSomebody;
};

}  // namespace

std::unique_ptr<Tree> GroupTree() { return std::make_unique<Group>(); }

}  // namespace nsclone

// pidfd, waitid(2) and /proc/PID/stat of one process.
#include "watch/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "launch/proc.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace nsclone {
namespace {

// linux/pidfd.h of Linux 6.15.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr uint64_t kPidfdInfoExit = 1U << 3;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

// Somebody else is the parent, or has reaped it.
End AskPidfd(int pidfd) {
  PidfdInfo info = {};
  info.mask = kPidfdInfoExit;
  // musl's ioctl() takes an int, which the number does not fit into.
  if (syscall(SYS_ioctl, pidfd, kPidfdGetInfo, &info) != 0 || (info.mask & kPidfdInfoExit) == 0) return {};
  return EndOf(info.exit_code);
}

}  // namespace

End EndOf(int status) {
  End end;
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
    end.core_dumped = WCOREDUMP(status);
  }
  return end;
}

namespace {

// The raw call, for the resource usage that the C library's does not return. __WALL: an own exit signal is reset only
// by the exec.
int Wait(idtype_t by, id_t id, siginfo_t* info, int options, rusage* usage) {
  long result = -1;
  do {
    result = syscall(SYS_waitid, by, id, info, WEXITED | WNOHANG | __WALL | options, usage);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

}  // namespace

Process Process::Born(pid_t pid, Descriptor pidfd) {
  Process process(pid, std::move(pidfd));
  siginfo_t info = {};
  // The kernel's word that it is a child of ours. One that is gone altogether may have been: somebody else has reaped
  // it.
  const bool ours = Wait(P_PID, static_cast<id_t>(pid), &info, WNOWAIT, nullptr) != ECHILD;
  if (!ours && kill(pid, 0) == 0) return {};
  process.reaped_ = !ours;
  if (ours && !process.pidfd_.open()) static_cast<void>(process.Open());
  return process;
}

int Process::Open() {
  if (!silent()) return 0;
  Descriptor opened(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  const int error = opened.open() ? 0 : errno;
  if (error == ESRCH) reaped_ = true;
  if (error == 0) pidfd_ = AboveStdio(std::move(opened));
  const bool short_of = error == EMFILE || error == ENFILE || error == ENOMEM || (error == 0 && !pidfd_.open());
  return short_of ? EAGAIN : error == ESRCH ? 0 : error;
}

bool Process::IsOurs() const {
  if (!present()) return false;
  siginfo_t info = {};
  const bool silent = !pidfd_.open();
  return Wait(silent ? P_PID : static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(silent ? pid_ : pidfd_.number()),
              &info, WNOWAIT, nullptr) == 0;
}

bool Process::Ended() const {
  if (reaped_) return true;
  const bool silent = !pidfd_.open();
  pollfd poll_on = {pidfd_.number(), POLLIN, 0};
  const int ready = silent ? -1 : poll(&poll_on, 1, 0);
  if (ready >= 0) return ready == 1;
  // A filter that refuses the one call may know the other.
  siginfo_t info = {};
  return Wait(silent ? P_PID : static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(silent ? pid_ : pidfd_.number()),
              &info, WNOWAIT, nullptr) != 0 ||
         info.si_pid != 0;
}

bool Process::HasStopped() const {
  siginfo_t info = {};
  return pidfd_.open() &&
         waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.number()), &info,
                WSTOPPED | WNOHANG | __WALL) == 0 &&
         info.si_pid != 0;
}

bool Process::Reap() {
  siginfo_t info = {};
  const bool silent = !pidfd_.open();
  const int error = Wait(silent ? P_PID : static_cast<idtype_t>(P_PIDFD),
                         static_cast<id_t>(silent ? pid_ : pidfd_.number()), &info, 0, &end_.usage);
  traced_ = error == 0 && info.si_pid == 0;
  if (traced_) return false;
  reaped_ = true;
  if (error != 0) {
    int status = 0;
    // A filter that refuses the one call may know the other.
    const bool waited = error != ECHILD && wait4(pid_, &status, WNOHANG | __WALL, &end_.usage) == pid_;
    end_ = waited ? EndOf(status) : AskPidfd(pidfd_.number());
    return true;
  }
  end_.usage_known = true;
  if (info.si_code == CLD_EXITED) {
    end_.code = info.si_status;
  } else {
    end_.signal = info.si_status;
    end_.core_dumped = info.si_code == CLD_DUMPED;
  }
  return true;
}

int Process::Signal(int signal) const {
  // The kernel would take a signal for a zombie, and say that it was sent.
  if (!present() || Ended()) return ESRCH;
  const long result = pidfd_.open() ? syscall(SYS_pidfd_send_signal, pidfd_.number(), signal, nullptr, 0) : -1;
  if (result == 0) return 0;
  // Filters answer what they do not know with either. The process has not ended, so the number is still its own.
  if (pidfd_.open() && errno != ENOSYS && errno != EPERM) return errno;
  return kill(pid_, signal) == 0 ? 0 : errno;
}

Process::Executed Process::HasExecuted(pid_t pid, pid_t parent, const char* stub_name) {
  constexpr unsigned long kForkNoExec = 0x40;  // PF_FORKNOEXEC
  constexpr pid_t kNoGroup = 0x7fffffff;  // no process has a number that large, see PID_MAX_LIMIT in linux/threads.h
  // setpgid(2) of a child, alive or a zombie, in our session: EACCES once that flag is off, and EPERM before.
  if (stub_name[0] == '\0' && parent == 0 && setpgid(pid, kNoGroup) != 0 && errno == EACCES) return Executed::kYes;
  char path[32];
  char text[512];
  int proc = -1;
  // In another pid namespace's /proc the number is somebody else's.
  if (FindProc(&proc) != Proc::kOurs) return Executed::kUnknown;
  snprintf(path, sizeof(path), "%d/stat", pid);
  const Descriptor file(openat(proc, path, O_RDONLY | O_CLOEXEC));
  if (!file.open()) return Executed::kUnknown;
  const ssize_t length = read(file.number(), text, sizeof(text) - 1);
  if (length <= 0) return Executed::kUnknown;
  text[length] = '\0';
  // pid (comm) state ppid pgrp session tty_nr tpgid flags: a name may hold spaces and brackets, so from its end.
  char* rest = strrchr(text, ')');
  unsigned long flags = 0;
  int real_parent = 0;
  if (rest == nullptr || sscanf(rest, ") %*c %d %*d %*d %*d %*d %lu", &real_parent, &flags) != 2)
    return Executed::kUnknown;
  if (parent != 0 && real_parent != parent) return Executed::kUnknown;
  if (stub_name[0] == '\0') return (flags & kForkNoExec) == 0 ? Executed::kYes : Executed::kNo;
  *rest = '\0';
  return strcmp(strchr(text, '(') + 1, stub_name) != 0 ? Executed::kYes : Executed::kNo;
}

namespace {

// All of a status file that begins like this, and nothing of another one: a process may be in so many groups that what
// stands behind them is far from the beginning.
std::string StatusOf(int file, const std::string& beginning) {
  std::string text;
  char piece[4096];
  for (ssize_t length = 0; (length = read(file, piece, sizeof(piece))) > 0;) {
    text.append(piece, static_cast<size_t>(length));
    if (text.compare(0, beginning.size(), beginning) != 0) return {};
  }
  return text;
}

}  // namespace

pid_t Process::FindStub(pid_t number, const char* stub_name) {
  int proc = -1;
  // Where nothing can be looked at there is no better word than the number.
  if (FindProc(&proc) != Proc::kOurs) return number;
  if (HasExecuted(number, getpid(), stub_name) == Executed::kNo) return number;
  return FindBelow(number, stub_name);
}

pid_t Process::FindBelow(pid_t number, const char* stub_name) {
  int proc = -1;
  if (FindProc(&proc) != Proc::kOurs) return 0;
  const int all_of_it = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (all_of_it < 0) return 0;
  DIR* folder = fdopendir(all_of_it);
  if (folder == nullptr) {
    close(all_of_it);
    return 0;
  }
  char name[32];
  char parent[32];
  snprintf(name, sizeof(name), "Name:\t%s\n", stub_name);
  snprintf(parent, sizeof(parent), "\nPPid:\t%d\n", getpid());
  // Of all its numbers the last one, or that before it where it is pid 1 of a new one.
  const std::string numbers[] = {"\t" + std::to_string(number) + "\n", "\t" + std::to_string(number) + "\t1\n"};
  pid_t found = 0;
  while (const dirent* entry = found == 0 ? readdir(folder) : nullptr) {
    const pid_t pid = atoi(entry->d_name);
    char path[32];
    snprintf(path, sizeof(path), "%d/status", pid);
    const Descriptor file(pid > 0 ? openat(proc, path, O_RDONLY | O_CLOEXEC) : -1);
    if (!file.open()) continue;
    const std::string text = StatusOf(file.number(), name);
    const size_t all = text.find("\nNSpid:");
    if (all == std::string::npos || text.find(parent) == std::string::npos) continue;
    const std::string line = text.substr(all + 1, text.find('\n', all + 1) - all);
    for (const std::string& last : numbers) {
      if (line.size() > last.size() && line.compare(line.size() - last.size(), last.size(), last) == 0) found = pid;
    }
  }
  closedir(folder);
  return found;
}

}  // namespace nsclone

// pidfd, waitid(2) and /proc/PID/stat of one process.
#include "watch/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

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

Process Process::Open(pid_t pid) {
  Descriptor pidfd = AboveStdio(Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
  const bool gone = !pidfd.open() && errno == ESRCH;
  if (!pidfd.open() && !gone) return {};
  Process process(pid, std::move(pidfd));
  process.reaped_ = gone;
  return process;
}

bool Process::Ended() const {
  if (reaped_) return true;
  pollfd poll_on = {pidfd_.number(), POLLIN, 0};
  return poll(&poll_on, 1, 0) == 1;
}

bool Process::Reap() {
  siginfo_t info = {};
  long result = -1;
  do {
    // The raw call, for the resource usage that the C library's does not return. __WALL: an own exit signal is reset
    // only by the exec.
    result = syscall(SYS_waitid, P_PIDFD, pidfd_.number(), &info, WEXITED | WNOHANG | __WALL, &end_.usage);
  } while (result != 0 && errno == EINTR);
  traced_ = result == 0 && info.si_pid == 0;
  if (traced_) return false;
  reaped_ = true;
  if (result != 0) {
    end_ = AskPidfd(pidfd_.number());
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
  if (!present() || !pidfd_.open()) return ESRCH;
  return syscall(SYS_pidfd_send_signal, pidfd_.number(), signal, nullptr, 0) == 0 ? 0 : errno;
}

Process::Executed Process::HasExecuted(bool in_stub) const {
  constexpr unsigned long kForkNoExec = 0x40;  // PF_FORKNOEXEC
  char path[32];
  char text[512];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid_);
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file.open()) return Executed::kUnknown;
  const ssize_t length = read(file.number(), text, sizeof(text) - 1);
  if (length <= 0) return Executed::kUnknown;
  text[length] = '\0';
  // pid (comm) state ppid pgrp session tty_nr tpgid flags: a name may hold spaces and brackets, so from its end.
  const char* rest = strrchr(text, ')');
  int parent = 0;
  unsigned long flags = 0;
  if (rest == nullptr || sscanf(rest, ") %*c %d %*d %*d %*d %*d %lu", &parent, &flags) != 2) return Executed::kUnknown;
  if (!in_stub) return (flags & kForkNoExec) == 0 ? Executed::kYes : Executed::kNo;
  // With the /proc of another pid namespace the number is somebody else's.
  if (parent != getpid()) return Executed::kUnknown;
  return strstr(text, "(nsclone/stub)") == nullptr ? Executed::kYes : Executed::kNo;
}

}  // namespace nsclone

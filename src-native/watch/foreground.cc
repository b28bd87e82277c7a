// tcsetpgrp(3) by a process that may be in the background: see "Job Control" in termios(3) and credentials(7).
#include "watch/foreground.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace nsclone {
namespace {

// Of who changes a terminal's settings from the background the whole process is stopped by SIGTTOU, unless the calling
// thread blocks it: then the kernel lets him.
int SetForeground(int terminal, pid_t group) {
  sigset_t ttou;
  sigset_t before;
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  // On Linux that of the thread. pthread_sigmask() would need a newer glibc.
  if (sigprocmask(SIG_BLOCK, &ttou, &before) != 0) return errno;
  const int result = ioctl(terminal, TIOCSPGRP, &group) == 0 ? 0 : errno;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return result;
}

// AT_STATX_DONT_SYNC: what the kernel knows already. The type and the numbers of an open file never change.
bool AboutDevice(int descriptor, struct statx* about) {
  return statx(descriptor, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, about) == 0 && S_ISCHR(about->stx_mode);
}

}  // namespace

int Foreground::Hold(int terminal) {
  struct statx about = {};
  if (!AboutDevice(terminal, &about)) return ENOTTY;
  pid_t present = 0;
  if (ioctl(terminal, TIOCGPGRP, &present) != 0) return errno;
  terminal_ = Descriptor(fcntl(terminal, F_DUPFD_CLOEXEC, 3));
  return terminal_.open() ? 0 : errno;
}

int Foreground::Give(pid_t group) {
  if (!terminal_.open()) return ENOTTY;
  pid_t present = 0;
  if (ioctl(terminal_.number(), TIOCGPGRP, &present) != 0) return errno;
  if (present != getpgrp()) return EBUSY;
  if (const int error = SetForeground(terminal_.number(), group); error != 0) return error;
  group_ = group;
  return 0;
}

void Foreground::TakeBack() {
  pid_t present = 0;
  if (is_back_ && ioctl(terminal_.number(), TIOCGPGRP, &present) == 0 && present == group_) is_back_ = false;
  TakeBackForNow();
  terminal_.Close();
  group_ = 0;
}

void Foreground::GiveAgain(pid_t group) {
  pid_t present = 0;
  if (!is_back_ || ioctl(terminal_.number(), TIOCGPGRP, &present) != 0 || present != getpgrp()) return;
  is_back_ = SetForeground(terminal_.number(), group) != 0;
}

void Foreground::TakeBackForNow() {
  if (!given() || is_back_) return;
  is_back_ = true;
  pid_t present = 0;
  if (ioctl(terminal_.number(), TIOCGPGRP, &present) == 0) {
    // From the child, and from whoever it has given it to. A shell that has taken it, as we were stopped, has it to
    // read its next line, and would end at an error.
    const bool is_shells = present == getsid(0) || present == getpgid(getppid());
    const bool is_ours = present == getpgrp();
    // 0 is one that we cannot see.
    if (present > 0 && !is_shells && !is_ours) SetForeground(terminal_.number(), getpgrp());
  }
}

bool IsTerminalMaster(int descriptor) {
  struct statx about = {};
  if (descriptor < 0 || !AboutDevice(descriptor, &about)) return false;
  // The number of /dev/ptmx, of whatever devpts: what is opened by it is nothing else.
  return about.stx_rdev_major == 5 && about.stx_rdev_minor == 2;
}

}  // namespace nsclone

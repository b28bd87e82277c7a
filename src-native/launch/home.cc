// Moves the calling thread between namespaces: in as a whole or not at all, and back or not on.
#include "launch/home.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "launch/proc.h"

namespace nsclone {

namespace {

// Of the mount namespace of all threads, from before the first one has left it on; 0 as long as none has.
std::atomic<ino_t> own_files{0};
// As no namespace has it: nobody knows which is ours.
constexpr ino_t kUnknown = 1;

// By the call itself: the C library's is a new one.
ino_t PresentFiles() {
  int proc = -1;
  struct stat status = {};
  if (FindProc(&proc) == Proc::kNone || syscall(SYS_newfstatat, proc, "thread-self/ns/mnt", &status, 0) != 0)
    return kUnknown;
  return status.st_ino;
}

struct Kind {
  int flag;
  const char* name;
  // Below /proc. The pid namespace of a thread never changes; what is entered is that of its children to come.
  const char* path;
};

// Those that a thread of a process with threads can leave and enter.
constexpr Kind kThreadKinds[Home::kKinds] = {
    {CLONE_NEWNS, "mnt", "thread-self/ns/mnt"},
    {CLONE_NEWUTS, "uts", "thread-self/ns/uts"},
    {CLONE_NEWIPC, "ipc", "thread-self/ns/ipc"},
    {CLONE_NEWNET, "net", "thread-self/ns/net"},
    {CLONE_NEWPID, "pid", "thread-self/ns/pid_for_children"},
    {CLONE_NEWCGROUP, "cgroup", "thread-self/ns/cgroup"},
};

constexpr int kFolder = O_PATH | O_DIRECTORY | O_CLOEXEC;

[[noreturn]] void Abort(const char* caller, const char* what, int error) {
  char text[256];
  const int length = snprintf(text, sizeof(text),
                              "nsclone: %s cannot get this thread back into its own %s (%s): the process ends here "
                              "rather than go on in the wrong place\n",
                              caller, what, strerror(error));
  if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0) abort();
  abort();
}

Errno Join(const Target& target) {
  return setns(target.descriptor, target.kinds) == 0 ? Errno{} : Errno::Last(SYS_setns);
}

// All of its kinds or none.
Errno EnterOne(const Target& target) {
  if ((target.kinds & CLONE_NEWNS) == 0) return Join(target);
  // A mount namespace is entered only by who shares root and working directory with no other thread: EINVAL. Whether we
  // may enter it at all is looked at before that, so that a thread which may not goes on sharing them. Several kinds at
  // once would not ask, and move every thread that shares them: so they are tried with one that no process with threads
  // may enter (EUSERS), at which the kernel looks last. Where it was built without that one (EINVAL), nobody can tell.
  if (target.kinds == CLONE_NEWNS) {
    const Errno error = Join(target);
    if (error.value != EINVAL) return error;
  } else {
    const Errno error = Join({target.descriptor, target.kinds | CLONE_NEWTIME});
    if (error.value != EUSERS && Join({target.descriptor, CLONE_NEWTIME}).value != EINVAL) return error;
  }
  if (unshare(CLONE_FS) != 0) return Errno::Last(SYS_unshare);
  return Join(target);
}

}  // namespace

bool SeesOwnFiles() {
  const ino_t own = own_files;
  return own == 0 || (own != kUnknown && own == PresentFiles());
}

void NoteOwnFiles() {
  ino_t none = 0;
  if (own_files == none) own_files.compare_exchange_strong(none, PresentFiles());
}

Errno Home::Open(int kinds) {
  int proc = -1;
  if (FindProc(&proc) == Proc::kNone) return {-proc, SYS_openat};
  for (size_t i = 0; i < kKinds; i++) {
    if ((kinds & kThreadKinds[i].flag) == 0) continue;
    spaces_[i] = AboveStdio(Descriptor(openat(proc, kThreadKinds[i].path, O_RDONLY | O_CLOEXEC)));
    if (!spaces_[i].open()) return Errno::Last(SYS_openat);
  }
  if ((kinds & CLONE_NEWNS) == 0) return {};
  root_ = AboveStdio(Descriptor(open("/", kFolder)));
  working_directory_ = AboveStdio(Descriptor(open(".", kFolder)));
  return root_.open() && working_directory_.open() ? Errno{} : Errno::Last(SYS_openat);
}

Errno Home::Prove(int kinds, const char* caller) const {
  for (size_t i = 0; i < kKinds; i++) {
    if ((kinds & kThreadKinds[i].flag) == 0) continue;
    const Errno error = Join({spaces_[i].number(), kThreadKinds[i].flag});
    // Who shares root and working directory is asked for them last. Who does not is at the root of the namespace now.
    if (kThreadKinds[i].flag == CLONE_NEWNS && error.value == EINVAL) continue;
    if (error) return error;
    if (kThreadKinds[i].flag == CLONE_NEWNS) ReturnToFolders(caller);
  }
  return {};
}

void Home::ReturnToFolders(const char* caller) const {
  const bool back = fchdir(root_.number()) == 0 && chroot(".") == 0 && fchdir(working_directory_.number()) == 0;
  if (!back) Abort(caller, "root directory", errno);
}

void Home::Return(int kinds, const char* caller) const {
  for (size_t i = 0; i < kKinds; i++) {
    if ((kinds & kThreadKinds[i].flag) == 0) continue;
    const Errno error = Join({spaces_[i].number(), kThreadKinds[i].flag});
    if (error) Abort(caller, kThreadKinds[i].name, error.value);
  }
  if ((kinds & CLONE_NEWNS) != 0) ReturnToFolders(caller);
}

Refusal EnterUpTo(const Target* targets, size_t count, int* entered) {
  for (size_t i = 0; i < count; i++) {
    if ((targets[i].kinds & CLONE_NEWNS) != 0) NoteOwnFiles();
    if (const Errno error = EnterOne(targets[i])) return {error, i};
    *entered |= targets[i].kinds;
  }
  return {};
}

Refusal Enter(const Target* targets, size_t count, const char* caller) {
  Home home;
  int kinds = 0;
  for (size_t i = 0; i < count; i++) kinds |= targets[i].kinds;
  if (count == 0) return {};
  // What one call does, the kernel undoes.
  if (count > 1) {
    if (const Errno error = home.Open(kinds)) return {error, 0};
  }
  int entered = 0;
  const Refusal refusal = EnterUpTo(targets, count, &entered);
  if (refusal.error) home.Return(entered, caller);
  return refusal;
}

}  // namespace nsclone

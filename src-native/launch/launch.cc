// Fills the memory file, opens the channel, and makes the child from the calling thread.
#include "launch/launch.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "launch/entry.h"
#include "loop/syscall.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

namespace nsclone {
namespace {

// V8's and libuv's handlers must never run in a child that shares our memory: nothing is delivered from before the
// clone, and the child inherits the full mask.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    const uint64_t all = ~uint64_t{0};
    Call(__NR_rt_sigprocmask, SIG_SETMASK, &all, &before_, 8);
  }
  ~SignalsBlocked() { Call(__NR_rt_sigprocmask, SIG_SETMASK, &before_, 0, 8); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  uint64_t before_ = 0;
};

// Container profiles answer clone3(2) with ENOSYS (new ones) or EPERM (old ones) on kernels that have it.
bool g_clone3_refused = false;

struct CloneRequest {
  uint64_t flags;
  int exit_signal;
  void* stack_bottom;
  void* stack_top;
  uint32_t* clear_word;
  int* pidfd;
  void (*entry)(void*);
  void* context;
};

int64_t Clone3(const CloneRequest& request) {
  clone_args arguments = {};
  arguments.flags = request.flags | CLONE_CHILD_CLEARTID;
  arguments.child_tid = reinterpret_cast<uintptr_t>(request.clear_word);
  if (request.pidfd != nullptr) {
    arguments.flags |= CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<uintptr_t>(request.pidfd);
  }
  arguments.exit_signal = static_cast<uint64_t>(request.exit_signal);
  arguments.stack = reinterpret_cast<uintptr_t>(request.stack_bottom);
  arguments.stack_size = StackPool::kStackSize;
  return CloneInto(__NR_clone3, Argument(&arguments), sizeof(arguments), 0, 0, 0, request.entry, request.context);
}

int64_t LegacyClone(const CloneRequest& request) {
  // CLONE_NEWTIME lies in the byte of the exit signal here and would be swallowed.
  if ((request.flags & CLONE_NEWTIME) != 0) return -ENOSYS;
  uint64_t flags = request.flags | CLONE_CHILD_CLEARTID | static_cast<uint64_t>(request.exit_signal);
  if (request.pidfd != nullptr) flags |= CLONE_PIDFD;
  const auto flag_word = static_cast<int64_t>(flags);
#if defined(__x86_64__)
  return CloneInto(__NR_clone, flag_word, Argument(request.stack_top), Argument(request.pidfd),
                   Argument(request.clear_word), 0, request.entry, request.context);
#else
  return CloneInto(__NR_clone, flag_word, Argument(request.stack_top), Argument(request.pidfd), 0,
                   Argument(request.clear_word), request.entry, request.context);
#endif
}

Errno Clone(const CloneRequest& request, pid_t* pid) {
  const SignalsBlocked blocked;
  const bool refused = __atomic_load_n(&g_clone3_refused, __ATOMIC_RELAXED);
  int64_t result = refused ? -ENOSYS : Clone3(request);
  int call = SYS_clone3;
  if (result == -ENOSYS || result == -EPERM) {
    const int64_t legacy = LegacyClone(request);
    if (legacy >= 0 && !refused) __atomic_store_n(&g_clone3_refused, true, __ATOMIC_RELAXED);
    // What new namespaces need, both calls say with EPERM.
    if (legacy >= 0 || result != -EPERM) {
      result = legacy;
      if ((request.flags & CLONE_NEWTIME) == 0) call = SYS_clone;
    }
  }
  if (result < 0) return {static_cast<int>(-result), call};
  *pid = static_cast<pid_t>(result);
  return {};
}

// What the exec of the stub would take from this thread: of root nothing, as it gives back what the bounding set has,
// unless root is nobody here. What is permitted and not effective, as after seteuid(2), this thread may not do itself;
// what is ambient any exec makes effective. What cannot become ambient is left behind.
Errno ReadCapabilities(Header* header) {
  const int found = prctl(PR_GET_SECUREBITS);
  const int bits = found < 0 ? 0 : found;
  if ((bits & SECBIT_NOROOT) == 0 && geteuid() == 0) return {};
  __user_cap_header_struct who = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &who, sets) != 0) return Errno::Last(SYS_capget);
  const uint64_t permitted = sets[0].permitted | uint64_t{sets[1].permitted} << 32;
  // Those that are ambient stay so.
  if (permitted == 0 || (bits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0) return {};
  const uint64_t effective = sets[0].effective | uint64_t{sets[1].effective} << 32;
  header->inheritable = sets[0].inheritable | uint64_t{sets[1].inheritable} << 32;
  header->carried = effective & header->inheritable;
  for (unsigned capability = 0; capability < 64; capability++) {
    const uint64_t bit = uint64_t{1} << capability;
    if ((permitted & header->inheritable & bit) != 0 &&
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1)
      header->ambient |= bit;
    if ((effective & ~header->inheritable & bit) != 0 && prctl(PR_CAPBSET_READ, capability) == 1)
      header->carried |= bit;
  }
  header->carried |= header->ambient;
  return {};
}

// A program may call itself anything but what it cannot know: of the fifteen bytes that the kernel keeps, seven are
// chosen here.
Errno ChooseName(char* name) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr char kPrefix[] = "nsclone/";
  uint8_t chosen[7];
  if (getrandom(chosen, sizeof(chosen), 0) != sizeof(chosen)) return Errno::Last(SYS_getrandom);
  memcpy(name, kPrefix, sizeof(kPrefix) - 1);
  for (size_t i = 0; i < sizeof(chosen); i++) name[sizeof(kPrefix) - 1 + i] = kLetters[chosen[i] & 63];
  return {};
}

Errno NewFile(const Image& image, Fault fault, std::unique_ptr<MemoryFile>* file, Parts* parts) {
  Header header = {};
  header.instruction_count = image.instruction_count;
  header.data_size = image.data_size;
  header.relocation_count = image.relocation_count;
  header.kept_count = image.kept_count;
  if (!Locate(header, UINT32_MAX, parts)) return {E2BIG};
  header.size = static_cast<uint32_t>(parts->end);
  if (const Errno error = MemoryFile::Acquire(header.size, file)) return error;
  uint8_t* block = (*file)->block();
  memcpy(block, &header, sizeof(header));
  memcpy(block + parts->instructions, image.instructions, image.instruction_count * sizeof(Instruction));
  memcpy(block + parts->data, image.data, image.data_size);
  memcpy(block + parts->relocations, image.relocations, image.relocation_count * sizeof(uint32_t));
  memcpy(block + parts->kept, image.kept, image.kept_count * sizeof(int32_t));
  (*file)->report()->fault_instruction = fault.instruction;
  (*file)->report()->fault_error = fault.error;
  return {};
}

// `attested`: the kernel says with each message who has sent it. `*closed`: whether one of 0 to 2 is.
Errno OpenChannel(bool attested, Descriptor* ours, Descriptor* theirs, bool* closed) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Errno::Last(SYS_socketpair);
  *closed = ends[0] < 3 || ends[1] < 3;
  *ours = Descriptor(ends[0]);
  *theirs = Descriptor(ends[1]);
  for (Descriptor* end : {ours, theirs}) {
    *end = AboveStdio(std::move(*end));
    if (!end->open()) return Errno::Last(SYS_fcntl);
  }
  if (!attested) return {};
  const int on = 1;
  if (setsockopt(ours->number(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) return Errno::Last(SYS_setsockopt);
  // Since Linux 6.5; before, a descriptor is opened by the number that the credentials have.
  setsockopt(ours->number(), SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on));
  return {};
}

// clone(2) gives a pidfd the lowest number, which must be none of 0 to 2 where Node was started without stdio. A number
// above is taken before there is a child: once there is one, it is too late to find none.
class Seat {
 public:
  Errno Reserve(int any) {
    reserved_ = Descriptor(fcntl(any, F_DUPFD_CLOEXEC, 3));
    return reserved_.open() ? Errno{} : Errno::Last(SYS_fcntl);
  }
  Descriptor Take(int pidfd) {
    Descriptor low(pidfd);
    if (pidfd < 0 || pidfd > 2) return low;
    dup3(pidfd, reserved_.number(), O_CLOEXEC);
    return std::move(reserved_);
  }

 private:
  Descriptor reserved_;
};

}  // namespace

Errno LaunchStub(const Image& image, const InStub& how, Fault fault, Launched* launched) {
  Parts parts;
  Descriptor theirs;
  Seat seat;
  if (const Errno error = NewFile(image, fault, &launched->file, &parts)) return error;
  MemoryFile& file = *launched->file;
  Header* header = file.header();
  if (const Errno error = ChooseName(header->name)) return error;
  if (const Errno error = ReadCapabilities(header)) return error;
  bool closed = false;
  if (const Errno error = OpenChannel(how.forks, &launched->channel, &theirs, &closed)) return error;
  if (const Errno error = closed ? seat.Reserve(theirs.number()) : Errno{}) return error;
  StackPool& stacks = StackPool::ForStub();
  if (const Errno error = stacks.Acquire(true, &launched->stack)) return error;

  header->channel = theirs.number();
  header->lowest = how.lowest;
  memcpy(launched->name, header->name, sizeof(launched->name));

  auto* entry = static_cast<StubEntry*>(stacks.bottom(launched->stack));
  *entry = {.report = file.report(),
            .kept = reinterpret_cast<int32_t*>(file.block() + parts.kept),
            .kept_count = header->kept_count,
            .file = file.descriptor(),
            .channel = theirs.number(),
            .stub = how.stub,
            .inheritable = header->inheritable,
            .carried = header->carried,
            .number = {}};
  snprintf(entry->number, sizeof(entry->number), "%d", file.descriptor());

  int pidfd = -1;
  const Errno error = Clone({.flags = CLONE_VM,
                             .exit_signal = SIGCHLD,
                             .stack_bottom = stacks.bottom(launched->stack),
                             .stack_top = stacks.top(launched->stack),
                             .clear_word = stacks.clear_word(launched->stack),
                             .pidfd = &pidfd,
                             .entry = EnterStub,
                             .context = entry},
                            &launched->pid);
  if (error) stacks.Release(launched->stack);
  launched->pidfd = seat.Take(pidfd);
  return error;
}

Errno LaunchInPlace(const Image& image, const InPlace& how, Fault fault, Launched* launched, uint32_t* culprit) {
  Parts parts;
  Seat seat;
  if (const Errno error = NewFile(image, fault, &launched->file, &parts)) return error;
  MemoryFile& file = *launched->file;
  Program program;
  if (!Load(file.block(), file.header()->size, &program, culprit)) return {EINVAL};

  StackPool& stacks = StackPool::InPlace();
  if (const Errno error = seat.Reserve(file.descriptor())) return error;
  if (const Errno error = stacks.Acquire(false, &launched->stack)) return error;
  const bool thread = (how.flags & CLONE_THREAD) != 0;
  if (thread) stacks.Hold(launched->stack);
  auto* entry = static_cast<InPlaceEntry*>(stacks.bottom(launched->stack));
  *entry = {.report = file.report(),
            .program = program,
            .wake = how.wake,
            .thread = thread,
            .executes = how.executes,
            .dies_with_node = how.executes && (how.flags & CLONE_PARENT) == 0,
            .node = getpid()};
  int pidfd = -1;
  const Errno error = Clone({.flags = how.flags,
                             .exit_signal = how.exit_signal,
                             .stack_bottom = stacks.bottom(launched->stack),
                             .stack_top = stacks.top(launched->stack),
                             .clear_word = stacks.clear_word(launched->stack),
                             // A thread has a pidfd since Linux 6.9 only, and none that waitid(2) takes.
                             .pidfd = thread ? nullptr : &pidfd,
                             .entry = EnterInPlace,
                             .context = entry},
                            &launched->pid);
  // A child with a copy of our memory clears the word of its copy.
  if (error || (how.flags & CLONE_VM) == 0) stacks.Release(launched->stack);
  if (error) stacks.Drop(launched->stack);
  launched->pidfd = seat.Take(pidfd);
  return error;
}

Errno Perform(const Image& image, Fault fault, std::unique_ptr<MemoryFile>* file, Program* program, uint32_t* culprit) {
  Parts parts;
  if (const Errno error = NewFile(image, fault, file, &parts)) return error;
  if (!Load((*file)->block(), (*file)->header()->size, program, culprit)) return {EINVAL};
  Run(*program, (*file)->report(), nullptr);
  return {};
}

}  // namespace nsclone

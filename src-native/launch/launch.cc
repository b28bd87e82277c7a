// Fills the memory file, opens the channel, and makes the child from the calling thread.
#include "launch/launch.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "launch/entry.h"
#include "launch/variables.h"
#include "loop/syscall.h"

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

int64_t Clone(const CloneRequest& request) {
  const SignalsBlocked blocked;
  if (!__atomic_load_n(&g_clone3_refused, __ATOMIC_RELAXED)) {
    const int64_t result = Clone3(request);
    if (result != -ENOSYS && result != -EPERM) return result;
    const int64_t legacy = LegacyClone(request);
    if (legacy >= 0) __atomic_store_n(&g_clone3_refused, true, __ATOMIC_RELAXED);
    return legacy < 0 && result == -EPERM ? result : legacy;
  }
  return LegacyClone(request);
}

// Only a Node that is not root: the exec of the stub gives root everything anyway.
void ReadCapabilities(Header* header) {
  if (geteuid() == 0) return;
  __user_cap_header_struct who = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &who, sets) != 0) return;
  header->carried = sets[0].permitted | uint64_t{sets[1].permitted} << 32;
  if (header->carried == 0) return;
  header->inheritable = sets[0].inheritable | uint64_t{sets[1].inheritable} << 32;
  for (unsigned capability = 0; capability < 64; capability++) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1)
      header->ambient |= uint64_t{1} << capability;
  }
}

Errno Fill(const Image& image, const Variables& variables, Fault fault, MemoryFile* file, Parts* parts) {
  Header* header = file->header();
  *header = {};
  header->instruction_count = image.instruction_count;
  header->data_size = image.data_size;
  header->relocation_count = image.relocation_count;
  header->kept_count = image.kept_count;
  if (image.with_environment) {
    header->data_size += static_cast<uint32_t>(variables.size());
    header->relocation_count += variables.count;
  }
  if (!Locate(*header, UINT32_MAX, parts)) return {E2BIG};
  header->size = static_cast<uint32_t>(parts->end);
  uint8_t* block = file->block();
  memcpy(block + parts->instructions, image.instructions, image.instruction_count * sizeof(Instruction));
  memcpy(block + parts->data, image.data, image.data_size);
  auto* relocations = reinterpret_cast<uint32_t*>(block + parts->relocations);
  memcpy(relocations, image.relocations, image.relocation_count * sizeof(uint32_t));
  memcpy(block + parts->kept, image.kept, image.kept_count * sizeof(int32_t));
  if (image.with_environment &&
      !variables.CopyTo(block + parts->data, image.data_size, relocations + image.relocation_count)) {
    return {EBUSY};
  }
  file->report()->fault_instruction = fault.instruction;
  file->report()->fault_error = fault.error;
  return {};
}

Errno TryNewFile(const Image& image, Fault fault, std::unique_ptr<MemoryFile>* file, Parts* parts) {
  const Variables variables = image.with_environment ? Variables::Measure() : Variables{};
  // Each alone, before their sum could wrap.
  if (image.data_size > kMaxData || variables.size() > kMaxData) return {E2BIG};
  const size_t environment = image.with_environment ? variables.size() + variables.count * sizeof(uint32_t) : 0;
  const size_t size = sizeof(Header) + size_t{image.instruction_count} * sizeof(Instruction) + image.data_size +
                      size_t{image.relocation_count} * 4 + size_t{image.kept_count} * 4 + environment;
  std::unique_ptr<MemoryFile> made;
  if (const Errno error = MemoryFile::Acquire(size, &made)) return error;
  if (const Errno error = Fill(image, variables, fault, made.get(), parts)) {
    MemoryFile::Release(std::move(made));
    return error;
  }
  *file = std::move(made);
  return {};
}

// A Worker that shares our environment may change it between the measuring and the copying.
Errno NewFile(const Image& image, Fault fault, std::unique_ptr<MemoryFile>* file, Parts* parts) {
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; round++) {
    const Errno error = TryNewFile(image, fault, file, parts);
    if (error.value != EBUSY) return error;
  }
  return {EBUSY};
}

Errno OpenChannel(Descriptor* ours, Descriptor* theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Errno::Last();
  *ours = Descriptor(ends[0]);
  *theirs = Descriptor(ends[1]);
  for (Descriptor* end : {ours, theirs}) {
    *end = AboveStdio(std::move(*end));
    if (!end->open()) return Errno::Last();
  }
  return {};
}

}  // namespace

Errno LaunchStub(const Image& image, int stub, int lowest, Fault fault, Launched* launched) {
  Parts parts;
  Descriptor theirs;
  if (const Errno error = NewFile(image, fault, &launched->file, &parts)) return error;
  if (const Errno error = OpenChannel(&launched->channel, &theirs)) return error;
  if (const Errno error = StackPool::ForStub().Acquire(true, &launched->stack)) return error;

  MemoryFile& file = *launched->file;
  Header* header = file.header();
  header->channel = theirs.number();
  header->lowest = lowest;
  header->stub = stub;
  ReadCapabilities(header);

  StackPool& stacks = StackPool::ForStub();
  auto* entry = static_cast<StubEntry*>(stacks.bottom(launched->stack));
  *entry = {.report = file.report(),
            .kept = reinterpret_cast<int32_t*>(file.block() + parts.kept),
            .kept_count = header->kept_count,
            .file = file.descriptor(),
            .channel = theirs.number(),
            .stub = stub,
            .carried = header->carried,
            .number = {}};
  snprintf(entry->number, sizeof(entry->number), "%d", file.descriptor());

  int pidfd = -1;
  const int64_t pid = Clone({.flags = CLONE_VM,
                             .exit_signal = SIGCHLD,
                             .stack_bottom = stacks.bottom(launched->stack),
                             .stack_top = stacks.top(launched->stack),
                             .clear_word = stacks.clear_word(launched->stack),
                             .pidfd = &pidfd,
                             .entry = EnterStub,
                             .context = entry});
  if (pid < 0) {
    stacks.Release(launched->stack);
    return {static_cast<int>(-pid)};
  }
  launched->pid = static_cast<pid_t>(pid);
  launched->pidfd = AboveStdio(Descriptor(pidfd));
  return {};
}

Errno LaunchInPlace(const Image& image, const InPlace& how, Fault fault, Launched* launched, uint32_t* culprit) {
  Parts parts;
  if (const Errno error = NewFile(image, fault, &launched->file, &parts)) return error;
  MemoryFile& file = *launched->file;
  Program program;
  if (!Load(file.block(), file.header()->size, &program, culprit)) return {EINVAL};

  StackPool& stacks = StackPool::InPlace();
  if (const Errno error = stacks.Acquire(false, &launched->stack)) return error;
  const bool thread = (how.flags & CLONE_THREAD) != 0;
  if (thread) stacks.Hold(launched->stack);
  auto* entry = static_cast<InPlaceEntry*>(stacks.bottom(launched->stack));
  *entry = {.report = file.report(),
            .program = program,
            .wake = how.wake,
            .thread = thread,
            .executes = how.executes,
            .dies_with_node = how.executes && (how.flags & CLONE_PARENT) == 0};
  int pidfd = -1;
  const int64_t pid = Clone({.flags = how.flags,
                             .exit_signal = how.exit_signal,
                             .stack_bottom = stacks.bottom(launched->stack),
                             .stack_top = stacks.top(launched->stack),
                             .clear_word = stacks.clear_word(launched->stack),
                             // A thread has a pidfd since Linux 6.9 only, and none that waitid(2) takes.
                             .pidfd = thread ? nullptr : &pidfd,
                             .entry = EnterInPlace,
                             .context = entry});
  // A child with a copy of our memory clears the word of its copy.
  if (pid < 0 || (how.flags & CLONE_VM) == 0) stacks.Release(launched->stack);
  if (pid < 0) {
    stacks.Drop(launched->stack);
    return {static_cast<int>(-pid)};
  }
  launched->pid = static_cast<pid_t>(pid);
  launched->pidfd = AboveStdio(Descriptor(pidfd));
  return {};
}

}  // namespace nsclone

// The stub: a static program without a C library that is executed at once in the child. It maps the report, takes the
// program into its own memory, puts the process back to what the user's Node had, and runs the loop.
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "loop/arrival.h"
#include "loop/format.h"
#include "loop/loop.h"
#include "loop/syscall.h"
#include "stub/init.h"

namespace nsclone {
namespace {

constexpr int kGone = 127;
constexpr int64_t kProtection = PROT_READ | PROT_WRITE;

[[noreturn]] void Leave(int64_t code) {
  Call(__NR_exit_group, code);
  // A filter of the user's may refuse that; a fault it cannot.
  __builtin_trap();
}

// A read that brings less than it should is an error of the file, and a name that is not what it was set to one of a
// filter.
constexpr int64_t kShort = -5;       // EIO
constexpr int64_t kMalformed = -22;  // EINVAL

[[noreturn]] void Refuse(Report* report, uint32_t where, const Outcome& refused) {
  report->instruction = where;
  report->error = static_cast<int32_t>(-refused.result);
  if (where == kArrivingInStub) report->results[0] = refused.call;
  report->state = static_cast<uint32_t>(State::kFailed);
  Leave(kGone);
}

// What the memory file has behind the report.
void Read(Report* report, int64_t file, void* into, uint32_t size) {
  const int64_t result = Call(__NR_pread64, file, into, size, kReportSize);
  if (result != size) Refuse(report, kArrivingInStub, {__NR_pread64, Failed(result) ? result : kShort});
}

// By which Node knows that nothing has been executed yet: where a filter has its own answer to that, nobody could tell.
void TakeName(Report* report, const char* name) {
  const int64_t result = Call(__NR_prctl, PR_SET_NAME, name, 0, 0, 0);
  if (Failed(result)) Refuse(report, kArrivingInStub, {__NR_prctl, result});
  char found[sizeof(Header::name)] = {};
  if (Failed(Call(__NR_prctl, PR_GET_NAME, found, 0, 0, 0))) return;
  for (size_t i = 0; i < sizeof(found); i++) {
    if (found[i] != name[i]) Refuse(report, kArrivingInStub, {__NR_prctl, kShort});
  }
}

int64_t ParseDescriptor(const char* text) {
  int64_t number = 0;
  for (; *text >= '0' && *text <= '9'; text++) number = number * 10 + (*text - '0');
  return number;
}

// Above every stdio entry, so that no dup3(2) of the program lands on it; closed by the exec.
int64_t MoveUp(int64_t channel, int64_t lowest) {
  if (channel >= lowest) {
    const int64_t result = Call(__NR_fcntl, channel, F_SETFD, FD_CLOEXEC);
    return Failed(result) ? result : channel;
  }
  const int64_t moved = Call(__NR_fcntl, channel, F_DUPFD_CLOEXEC, lowest);
  Call(__NR_close, channel);
  return moved;
}

[[noreturn]] void Main(const char* const* arguments) {
  const int64_t file = ParseDescriptor(arguments[1]);
  const int64_t mapped = Call6(__NR_mmap, 0, kReportSize, kProtection, MAP_SHARED, file, 0);
  if (Failed(mapped)) Leave(kGone);
  auto* report = reinterpret_cast<Report*>(mapped);

  uint32_t size = 0;
  Read(report, file, &size, sizeof(size));
  const int64_t own = Call6(__NR_mmap, 0, size, kProtection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (Failed(own)) Refuse(report, kArrivingInStub, {__NR_mmap, own});
  auto* block = reinterpret_cast<uint8_t*>(own);
  Read(report, file, block, size);
  Call(__NR_close, file);

  Program program = {};
  uint32_t culprit = 0;
  if (!Load(block, size, &program, &culprit)) Refuse(report, culprit, {-1, kMalformed});
  const Header& header = *program.header;
  for (uint32_t i = 0; i < header.kept_count; i++) Call(__NR_fcntl, program.kept[i], F_SETFD, FD_CLOEXEC);
  const int64_t channel = MoveUp(header.channel, header.lowest);
  if (Failed(channel)) Refuse(report, kArrivingInStub, {__NR_fcntl, channel});
  *reinterpret_cast<int32_t*>(program.data + kChannelWord) = static_cast<int32_t>(channel);

  TakeName(report, header.name);
  const Outcome reset = ResetSignals();
  if (Failed(reset.result)) Refuse(report, kArrivingInStub, reset);
  // A Node that is not root could bring its capabilities through the exec only as ambient ones. Back to what it had:
  // what nobody asked for must not reach the program (the class of CVE-2022-24769).
  if (header.carried != 0) {
    const Outcome last = SetInherited(header.inheritable, header.ambient);
    if (Failed(last.result)) Refuse(report, kArrivingInStub, last);
  }
  Stay stay;
  const int code = Run(program, report, &stay);
  if (stay.child != 0) BePidOne(stay, report);
  Leave(code);
}

}  // namespace
}  // namespace nsclone

extern "C" [[noreturn]] __attribute__((used, visibility("hidden"))) void StubMain(const int64_t* stack) {
  nsclone::Main(reinterpret_cast<const char* const*>(stack + 1));
}

// The kernel enters here with argc on top of the stack and no return address.
#if defined(__x86_64__)
asm(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall StubMain\n\tud2\n");
#else
asm(".globl _start\n_start:\n\tmov x29, xzr\n\tmov x30, xzr\n\tmov x0, sp\n\tbl StubMain\n\tbrk 1\n");
#endif

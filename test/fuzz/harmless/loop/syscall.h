// Stands in for src-native/loop/syscall.h when the fuzzer is built: no call reaches the kernel, the harness answers
// them.
#ifndef NSCLONE_TEST_FUZZ_HARMLESS_LOOP_SYSCALL_H_
#define NSCLONE_TEST_FUZZ_HARMLESS_LOOP_SYSCALL_H_

#include <asm/unistd.h>
#include <stdint.h>

namespace nsclone {

int64_t Call6(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);

inline int64_t Argument(const volatile void* pointer) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(pointer));
}
inline int64_t Argument(int64_t value) { return value; }

template <typename... Arguments>
inline int64_t Call(int64_t number, Arguments... arguments) {
  const int64_t all[6 + 1] = {Argument(arguments)..., 0};
  return Call6(number, all[0], all[1], all[2], all[3], all[4], all[5]);
}

}  // namespace nsclone

#endif  // NSCLONE_TEST_FUZZ_HARMLESS_LOOP_SYSCALL_H_

// Raw system calls: they return -errno, touch no errno (a child shares the thread's), and need no C library.
#ifndef NSCLONE_LOOP_SYSCALL_H_
#define NSCLONE_LOOP_SYSCALL_H_

#include <asm/unistd.h>
#include <stdint.h>

namespace nsclone {

inline __attribute__((always_inline)) int64_t Call6(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d,
                                                    int64_t e, int64_t f) {
#if defined(__x86_64__)
  int64_t result = number;
  register int64_t r10 asm("r10") = d;
  register int64_t r8 asm("r8") = e;
  register int64_t r9 asm("r9") = f;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register int64_t x8 asm("x8") = number;
  register int64_t x0 asm("x0") = a;
  register int64_t x1 asm("x1") = b;
  register int64_t x2 asm("x2") = c;
  register int64_t x3 asm("x3") = d;
  register int64_t x4 asm("x4") = e;
  register int64_t x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
#error "nsclone knows the system calls of x86-64 and arm64"
#endif
}

inline __attribute__((always_inline)) int64_t Argument(const volatile void* pointer) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(pointer));
}
inline __attribute__((always_inline)) int64_t Argument(int64_t value) { return value; }

template <typename... Arguments>
inline __attribute__((always_inline)) int64_t Call(int64_t number, Arguments... arguments) {
  const int64_t all[6 + 1] = {Argument(arguments)..., 0};
  return Call6(number, sizeof...(arguments) > 0 ? all[0] : 0, sizeof...(arguments) > 1 ? all[1] : 0,
               sizeof...(arguments) > 2 ? all[2] : 0, sizeof...(arguments) > 3 ? all[3] : 0,
               sizeof...(arguments) > 4 ? all[4] : 0, sizeof...(arguments) > 5 ? all[5] : 0);
}

// clone(2) gives the child nothing but these registers and its stack, so the jump into `entry` is here too.
// `entry` must not return. The last two arguments of clone(2) change places between architectures.
inline __attribute__((always_inline)) int64_t CloneInto(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d,
                                                        int64_t e, void (*entry)(void*), void* context) {
#if defined(__x86_64__)
  int64_t result = number;
  register int64_t r10 asm("r10") = d;
  register int64_t r8 asm("r8") = e;
  register void (*r12)(void*) asm("r12") = entry;
  register void* r13 asm("r13") = context;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
      : "rcx", "r11", "memory");
  return result;
#else
  register int64_t x8 asm("x8") = number;
  register int64_t x0 asm("x0") = a;
  register int64_t x1 asm("x1") = b;
  register int64_t x2 asm("x2") = c;
  register int64_t x3 asm("x3") = d;
  register int64_t x4 asm("x4") = e;
  register void (*x9)(void*) asm("x9") = entry;
  register void* x10 asm("x10") = context;
  asm volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk 1\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9), "r"(x10)
      : "memory");
  return x0;
#endif
}

}  // namespace nsclone

#endif  // NSCLONE_LOOP_SYSCALL_H_

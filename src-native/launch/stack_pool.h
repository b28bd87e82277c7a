// Stacks for children that share our memory: one mapping with a guard page below each stack.
#ifndef NSCLONE_LAUNCH_STACK_POOL_H_
#define NSCLONE_LAUNCH_STACK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "launch/result.h"

namespace nsclone {

class StackPool {
 public:
  static constexpr size_t kStacks = 128;
  // Multiples of the largest page that a kernel may have (64 KiB, on arm64): mprotect(2) takes whole pages only.
  static constexpr size_t kStackSize = 64 * 1024;
  static constexpr size_t kGuardSize = 64 * 1024;

  // Children on their way to the stub, which leave within microseconds, and recorded ones, which may stay: the one kind
  // must not use up what the other needs.
  static StackPool& ForStub();
  static StackPool& InPlace();

  // A stack that no process uses. With `patient`, waits up to a second for one to be left.
  Errno Acquire(bool patient, size_t* stack);
  // For a child that was never made, or that has a copy of our memory.
  void Release(size_t stack);
  // A thread has no pidfd, and its end is its word: nobody else may set it until that end has been seen.
  void Hold(size_t stack) { __atomic_store_n(&held_[stack], true, __ATOMIC_RELEASE); }
  void Drop(size_t stack) { __atomic_store_n(&held_[stack], false, __ATOMIC_RELEASE); }

  // 16-byte aligned, as the ABIs of both architectures ask at a call.
  void* top(size_t stack) const;
  void* bottom(size_t stack) const;
  // CLONE_CHILD_CLEARTID: the kernel zeroes the word when the child has left our memory, by exec or by its end. Nothing
  // else is a safe sign: end-of-file and a readable pidfd may both come earlier.
  uint32_t* clear_word(size_t stack) { return &words_[stack]; }
  bool left(size_t stack) const { return __atomic_load_n(&words_[stack], __ATOMIC_ACQUIRE) == 0; }

 private:
  Errno Map();

  std::mutex mutex_;
  uint8_t* base_ = nullptr;
  size_t usable_ = 0;
  uint32_t words_[kStacks] = {};
  bool held_[kStacks] = {};
};

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_STACK_POOL_H_

// The stack pools: process-wide and never unmapped, as a child may outlive the Worker that made it.
#include "launch/stack_pool.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <chrono>

namespace nsclone {
namespace {

constexpr size_t kStride = StackPool::kStackSize + StackPool::kGuardSize;

}  // namespace

StackPool& StackPool::ForStub() {
  static StackPool* const pool = new StackPool;
  return *pool;
}

StackPool& StackPool::InPlace() {
  static StackPool* const pool = new StackPool;
  return *pool;
}

Errno StackPool::Map() {
  void* base = mmap(nullptr, kStacks * kStride + kGuardSize, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return Errno::Last(SYS_mmap);
  base_ = static_cast<uint8_t*>(base);
  return {};
}

Errno StackPool::Acquire(bool patient, size_t* stack) {
  const std::lock_guard lock(mutex_);
  if (base_ == nullptr) {
    if (const Errno error = Map()) return error;
  }
  constexpr std::chrono::seconds kPatience{1};
  constexpr timespec kPause = {0, 50'000};
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    for (size_t candidate = 0; candidate < kStacks; candidate++) {
      if (!left(candidate) || __atomic_load_n(&held_[candidate], __ATOMIC_ACQUIRE)) continue;
      if (candidate >= usable_) {
        // Made usable when first needed: most processes never have more than a few children on their way.
        if (mprotect(bottom(candidate), kStackSize, PROT_READ | PROT_WRITE) != 0) return Errno::Last(SYS_mprotect);
        usable_ = candidate + 1;
      }
      words_[candidate] = 1;
      *stack = candidate;
      return {};
    }
    if (!patient || std::chrono::steady_clock::now() >= end) return {EAGAIN};
    nanosleep(&kPause, nullptr);
  }
}

void StackPool::Release(size_t stack) { __atomic_store_n(&words_[stack], 0, __ATOMIC_RELEASE); }

void* StackPool::bottom(size_t stack) const { return base_ + stack * kStride + kGuardSize; }
void* StackPool::top(size_t stack) const { return base_ + (stack + 1) * kStride; }

}  // namespace nsclone

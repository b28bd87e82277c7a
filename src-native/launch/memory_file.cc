// The pool of memory files: process-wide, because Workers come and go.
#include "launch/memory_file.h"

#include <sys/mman.h>

#include <cstring>
#include <mutex>
#include <vector>

namespace nsclone {
namespace {

constexpr size_t kPooledCapacity = 64 * 1024;
constexpr size_t kPooledFiles = 64;

struct Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<MemoryFile>> files;
};

// Never destroyed: a Worker's thread may still release into it while the process exits.
Pool& ThePool() {
  static Pool* const pool = new Pool;
  return *pool;
}

}  // namespace

MemoryFile::~MemoryFile() { munmap(base_, capacity_); }

Errno MemoryFile::Acquire(size_t size, std::unique_ptr<MemoryFile>* file) {
  const size_t needed = kReportSize + size;
  if (needed <= kPooledCapacity) {
    Pool& pool = ThePool();
    const std::lock_guard lock(pool.mutex);
    if (!pool.files.empty()) {
      *file = std::move(pool.files.back());
      pool.files.pop_back();
    }
  }
  if (*file == nullptr) {
    const size_t capacity = needed <= kPooledCapacity ? kPooledCapacity : (needed + kReportSize - 1) & ~(kReportSize - 1);
    Descriptor descriptor(memfd_create("nsclone/program", MFD_CLOEXEC));
    if (!descriptor.open()) return Errno::Last();
    if (descriptor.number() < 3) {
      // Node without stdio: our own numbers must not be where the program's stdio goes.
      descriptor = Descriptor(fcntl(descriptor.number(), F_DUPFD_CLOEXEC, 3));
      if (!descriptor.open()) return Errno::Last();
    }
    if (ftruncate(descriptor.number(), static_cast<off_t>(capacity)) != 0) return Errno::Last();
    void* base = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number(), 0);
    if (base == MAP_FAILED) return Errno::Last();
    file->reset(new MemoryFile(std::move(descriptor), static_cast<uint8_t*>(base), capacity));
  }
  (*file)->used_ = needed;
  return {};
}

void MemoryFile::Release(std::unique_ptr<MemoryFile> file) {
  if (file == nullptr || file->capacity_ != kPooledCapacity) return;
  memset(file->base_, 0, file->used_);
  Pool& pool = ThePool();
  const std::lock_guard lock(pool.mutex);
  if (pool.files.size() < kPooledFiles) pool.files.push_back(std::move(file));
}

}  // namespace nsclone

// The pool of memory files: process-wide, because Workers come and go.
#include "launch/memory_file.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstring>
#include <mutex>
#include <vector>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

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

// From Linux 6.3 to 6.5 the sysctl vm.memfd_noexec=2 refuses whoever does not say that he needs no execution;
// before 6.3 the flag is unknown.
Errno NewMemory(size_t capacity, Descriptor* made) {
  constexpr char kName[] = "nsclone/program";
  Descriptor file(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (!file.open() && errno == EINVAL) file = Descriptor(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  file = AboveStdio(std::move(file));
  if (!file.open()) return Errno::Last(SYS_memfd_create);
  if (ftruncate(file.number(), static_cast<off_t>(capacity)) != 0) return Errno::Last(SYS_ftruncate);
  // Whoever got hold of it could else shorten it: what we then read of it would be a SIGBUS.
  if (fcntl(file.number(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) != 0) return Errno::Last(SYS_fcntl);
  *made = std::move(file);
  return {};
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
    const size_t capacity =
        needed <= kPooledCapacity ? kPooledCapacity : (needed + kReportSize - 1) & ~(size_t{kReportSize} - 1);
    Descriptor descriptor;
    if (const Errno error = NewMemory(capacity, &descriptor)) return error;
    void* base = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number(), 0);
    if (base == MAP_FAILED) return Errno::Last(SYS_mmap);
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

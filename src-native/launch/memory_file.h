// The memory file of one clone: the report page, then the program. Mapped here and handed to the stub by descriptor.
#ifndef NSCLONE_LAUNCH_MEMORY_FILE_H_
#define NSCLONE_LAUNCH_MEMORY_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "launch/descriptor.h"
#include "launch/result.h"
#include "loop/format.h"

namespace nsclone {

class MemoryFile {
 public:
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // A file with room for `size` bytes of program, from the pool where one fits. Its report is zeroed.
  static Errno Acquire(size_t size, std::unique_ptr<MemoryFile>* file);
  // Back into the pool, wiped: the next child's stub must not find the environment of this one. Not for a file that a
  // stranger may have got hold of, who could write the next child's program.
  static void Release(std::unique_ptr<MemoryFile> file);

  int descriptor() const { return descriptor_.number(); }
  Report* report() const { return reinterpret_cast<Report*>(base_); }
  uint8_t* block() const { return base_ + kReportSize; }
  Header* header() const { return reinterpret_cast<Header*>(block()); }

 private:
  MemoryFile(Descriptor descriptor, uint8_t* base, size_t capacity)
      : descriptor_(std::move(descriptor)), base_(base), capacity_(capacity) {}

  Descriptor descriptor_;
  uint8_t* base_;
  size_t capacity_;
  size_t used_ = 0;
};

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_MEMORY_FILE_H_

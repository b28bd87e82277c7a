// The environment of this process, as it is appended to the data of a program.
#ifndef NSCLONE_LAUNCH_VARIABLES_H_
#define NSCLONE_LAUNCH_VARIABLES_H_

#include <cstddef>
#include <cstdint>

namespace nsclone {

// What `environ` takes: an array of addresses, ended by a null, then the strings.
struct Variables {
  uint32_t count = 0;
  size_t strings = 0;  // bytes

  static Variables Measure();

  // Up to where the data may end.
  size_t size() const { return ((size_t{count} + 1) * sizeof(uint64_t) + strings + 7) & ~size_t{7}; }

  // To `at` in the data, with a relocation for each address. False where another thread has changed the environment
  // since it was measured.
  bool CopyTo(uint8_t* data, size_t at, uint32_t* relocations) const;
};

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_VARIABLES_H_

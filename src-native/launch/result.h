// An errno that cannot be mistaken for a descriptor, a pid or a count, and the call that it came from.
#ifndef NSCLONE_LAUNCH_RESULT_H_
#define NSCLONE_LAUNCH_RESULT_H_

#include <cerrno>

namespace nsclone {

struct [[nodiscard]] Errno {
  int value = 0;
  int call = -1;  // the number of the system call; -1 where none was made
  explicit operator bool() const { return value != 0; }
  static Errno Last(int call = -1) { return {errno, call}; }
};

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_RESULT_H_

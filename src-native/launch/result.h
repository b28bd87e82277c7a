// An errno that cannot be mistaken for a descriptor, a pid or a count.
#ifndef NSCLONE_LAUNCH_RESULT_H_
#define NSCLONE_LAUNCH_RESULT_H_

#include <cerrno>

namespace nsclone {

struct [[nodiscard]] Errno {
  int value = 0;
  explicit operator bool() const { return value != 0; }
  static Errno Last() { return {errno}; }
};

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_RESULT_H_

// A clock in an epoll set: has an event when it is time to look again at what nothing else will wake for.
#ifndef NSCLONE_WATCH_CLOCK_H_
#define NSCLONE_WATCH_CLOCK_H_

#include <cstdint>

#include "launch/descriptor.h"
#include "launch/result.h"

namespace nsclone {

class Clock {
 public:
  Errno Open(int epoll, uint64_t id);
  bool open() const { return timer_.open(); }
  // Has its event in a millisecond, and none before that; or none at all.
  void Set(bool running);
  // It goes on where it runs already, and is started where it does not.
  void Start() {
    if (!running_) Set(true);
  }

 private:
  Descriptor timer_;
  bool running_ = false;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_CLOCK_H_

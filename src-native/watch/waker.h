// Who calls on the JavaScript thread when an epoll set has an event. What there is for that differs from runtime to
// runtime.
#ifndef NSCLONE_WATCH_WAKER_H_
#define NSCLONE_WATCH_WAKER_H_

#include <functional>

#include "launch/result.h"

namespace nsclone {

class Wakeable {
 public:
  virtual ~Wakeable() = default;
  // On the JavaScript thread. Takes some of the events or all; where one is left it is called again.
  virtual void WakeUp() = 0;
};

class Waker {
 public:
  // Whether it keeps the event loop alive; at first it does not.
  virtual void SetRef(bool ref) = 0;
  // Calls nobody any more, and `closed` once the environment may go. The waker is gone then, or by itself later.
  virtual void Close(void (*closed)(void*), void* data) = 0;

 protected:
  ~Waker() = default;
};

// Opens one for an epoll set, which stays open until it is closed.
using WakerFor = std::function<Errno(int epoll, Wakeable* wakeable, Waker** waker)>;

}  // namespace nsclone

#endif  // NSCLONE_WATCH_WAKER_H_

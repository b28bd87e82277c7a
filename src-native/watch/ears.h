// Which of a child's descriptors an epoll set follows.
#ifndef NSCLONE_WATCH_EARS_H_
#define NSCLONE_WATCH_EARS_H_

#include <cstdint>

#include "watch/child.h"

namespace nsclone {

class Ears {
 public:
  // Follows what there is to hear of the child now and nothing else, then lets the child close what is over. Events
  // come with `id`.
  void Follow(int epoll, uint64_t id, Child* child);
  // Must come before any of the child's descriptors is closed, and before the child goes.
  void Forget(int epoll);
  // The kernel had no memory to follow all of them.
  bool deaf() const { return deaf_; }

 private:
  void FollowOne(int epoll, uint64_t id, int descriptor, int* followed);

  bool deaf_ = false;
  int channel_ = -1;
  int middle_ = -1;
  int program_ = -1;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_EARS_H_

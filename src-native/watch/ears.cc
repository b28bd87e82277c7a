// epoll follows open files, not numbers: while a child of another thread has a copy of a descriptor, closing ours would
// leave it in the set. So each is taken out by its number, before it is closed.
#include "watch/ears.h"

#include <sys/epoll.h>

namespace nsclone {
namespace {

void ForgetOne(int epoll, int* followed) {
  if (*followed >= 0) epoll_ctl(epoll, EPOLL_CTL_DEL, *followed, nullptr);
  *followed = -1;
}

}  // namespace

void Ears::FollowOne(int epoll, uint64_t id, int descriptor, int* followed) {
  if (descriptor == *followed) return;
  ForgetOne(epoll, followed);
  if (descriptor < 0) return;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0) {
    *followed = descriptor;
  } else {
    deaf_ = true;
  }
}

void Ears::Follow(int epoll, uint64_t id, Child* child) {
  // The pidfd of a zombie that its tracer keeps stays readable: it is looked at by the clock.
  const auto pidfd = [](const Process& process) {
    return process.present() && !process.traced() ? process.pidfd() : -1;
  };
  deaf_ = false;
  FollowOne(epoll, id, child->channel(), &channel_);
  FollowOne(epoll, id, child->needs_middle() ? pidfd(child->middle()) : -1, &middle_);
  FollowOne(epoll, id, pidfd(child->program()), &program_);
  child->CloseOver();
}

void Ears::Forget(int epoll) {
  ForgetOne(epoll, &channel_);
  ForgetOne(epoll, &middle_);
  ForgetOne(epoll, &program_);
}

}  // namespace nsclone

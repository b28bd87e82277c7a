// timerfd_create(2), so that every runtime has it.
#include "watch/clock.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

namespace nsclone {
namespace {

constexpr long kRecheckNanoseconds = 1'000'000;

}  // namespace

Errno Clock::Open(int epoll, uint64_t id) {
  Descriptor timer = AboveStdio(Descriptor(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  if (!timer.open()) return Errno::Last(SYS_timerfd_create);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, timer.number(), &event) != 0) return Errno::Last(SYS_epoll_ctl);
  timer_ = std::move(timer);
  return {};
}

void Clock::Set(bool running) {
  // Also takes an event back that it has had.
  itimerspec when = {};
  if (running) when.it_value.tv_nsec = kRecheckNanoseconds;
  timerfd_settime(timer_.number(), 0, &when, nullptr);
  running_ = running;
}

}  // namespace nsclone

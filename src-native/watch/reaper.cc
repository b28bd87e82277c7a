// The adopted children. Those that live on for long cost nothing meanwhile: only who has an event is looked at.
#include "watch/reaper.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <atomic>
#include <mutex>

#include "watch/children.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;

struct Adopted {
  std::mutex mutex;
  Children children;
  // Wakes everybody who watches the set while there is somebody in it who is to be looked at by the clock.
  Descriptor clock;
  std::atomic<size_t> count{0};
};

// Never destroyed: the last Worker may end while the process exits.
Adopted& TheAdopted() {
  static Adopted* const adopted = new Adopted;
  return *adopted;
}

constexpr long kRecheckNanoseconds = 1'000'000;

Errno OpenSet(Adopted* adopted) {
  if (const Errno error = adopted->children.Open()) return error;
  adopted->clock = AboveStdio(Descriptor(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  if (!adopted->clock.open()) return Errno::Last(SYS_timerfd_create);
  epoll_event event = {};
  // No child has this id.
  event.events = EPOLLIN;
  if (epoll_ctl(adopted->children.epoll(), EPOLL_CTL_ADD, adopted->clock.number(), &event) == 0) return {};
  const Errno error = Errno::Last(SYS_epoll_ctl);
  adopted->clock = Descriptor();
  return error;
}

// Sets the clock, which also makes it unreadable until then, or stops it.
void SetClock(const Adopted& adopted) {
  itimerspec when = {};
  if (adopted.children.has_unclear()) when.it_value.tv_nsec = kRecheckNanoseconds;
  timerfd_settime(adopted.clock.number(), 0, &when, nullptr);
}

}  // namespace

Errno AdoptedEvents(int* descriptor) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  Errno error;
  if (!adopted.clock.open()) error = OpenSet(&adopted);
  *descriptor = adopted.children.epoll();
  return error;
}

void Adopt(std::unique_ptr<Child> child) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  adopted.children.Look(adopted.children.Add(std::move(child)), nullptr);
  adopted.count = adopted.children.size();
  SetClock(adopted);
}

void ReapAdopted() {
  Adopted& adopted = TheAdopted();
  if (adopted.count == 0) return;
  const std::lock_guard lock(adopted.mutex);
  epoll_event events[kEvents];
  const int count = epoll_wait(adopted.children.epoll(), events, kEvents, 0);
  for (int i = 0; i < count; i++) adopted.children.Look(static_cast<uint32_t>(events[i].data.u64), nullptr);
  adopted.children.LookAtUnclear(nullptr);
  // No environment hears the last word of a thread that is nobody's any more.
  adopted.children.LookAtThreads(nullptr);
  adopted.count = adopted.children.size();
  SetClock(adopted);
}

bool AnyAdoptedDying() {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  return adopted.children.AnyDying();
}

}  // namespace nsclone

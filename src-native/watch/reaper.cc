// The adopted children. Those that live on for long cost nothing meanwhile: only who has an event is looked at.
#include "watch/reaper.h"

#include <sys/epoll.h>

#include <atomic>
#include <mutex>

#include "watch/children.h"
#include "watch/clock.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;

struct Adopted {
  std::mutex mutex;
  Children children;
  // Wakes everybody who watches the set while there is somebody in it who is to be looked at by the clock.
  Clock clock;
  std::atomic<size_t> count{0};
};

// Never destroyed: the last Worker may end while the process exits.
Adopted& TheAdopted() {
  static Adopted* const adopted = new Adopted;
  return *adopted;
}

// No child has it.
constexpr uint64_t kClockId = 0;

Errno OpenSet(Adopted* adopted) {
  if (const Errno error = adopted->children.Open()) return error;
  return adopted->clock.Open(adopted->children.epoll(), kClockId);
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
  adopted.clock.Set(adopted.children.has_unclear());
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
  adopted.clock.Set(adopted.children.has_unclear());
}

bool AnyAdoptedDying() {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  return adopted.children.AnyDying();
}

}  // namespace nsclone

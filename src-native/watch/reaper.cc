// The adopted children. Those that live on for long cost nothing meanwhile: only who has an event is looked at.
#include "watch/reaper.h"

#include <sys/epoll.h>

#include <atomic>
#include <mutex>

#include "watch/children.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;

struct Adopted {
  std::mutex mutex;
  Children children;
  std::atomic<size_t> count{0};
};

// Never destroyed: the last Worker may end while the process exits.
Adopted& TheAdopted() {
  static Adopted* const adopted = new Adopted;
  return *adopted;
}

}  // namespace

Errno AdoptedEvents(int* descriptor) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  Errno error;
  if (adopted.children.epoll() < 0) error = adopted.children.Open();
  *descriptor = adopted.children.epoll();
  return error;
}

void Adopt(std::unique_ptr<Child> child) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  adopted.children.Look(adopted.children.Add(std::move(child)), nullptr);
  adopted.count = adopted.children.size();
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
}

bool AnyAdoptedDying() {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  return adopted.children.AnyDying();
}

}  // namespace nsclone

// The adopted children. Those that live on for long cost nothing meanwhile: only who has an event is looked at.
#include "watch/reaper.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "watch/ears.h"

namespace nsclone {
namespace {

constexpr int kEvents = 64;

struct Adopted {
  struct Entry {
    std::unique_ptr<Child> child;
    Ears ears;
  };

  std::mutex mutex;
  Descriptor epoll;
  std::unordered_map<uint64_t, Entry> entries;
  // Nothing wakes for what is next to be seen of these.
  std::unordered_set<uint64_t> unclear;
  uint64_t last_id = 0;
  size_t dying = 0;
  std::atomic<size_t> count{0};

  void Look(uint64_t id);
};

// Never destroyed: the last Worker may end while the process exits.
Adopted& TheAdopted() {
  static Adopted* const adopted = new Adopted;
  return *adopted;
}

void Adopted::Look(uint64_t id) {
  const auto found = entries.find(id);
  if (found == entries.end()) return;
  Entry& entry = found->second;
  entry.child->Listen();
  while (entry.child->Advance()) {
  }
  const Phase phase = entry.child->phase();
  if (phase == Phase::kEnded || phase == Phase::kFailed) {
    entry.ears.Forget(epoll.number());
    if (entry.child->dying()) dying--;
    unclear.erase(id);
    entries.erase(found);
    count = entries.size();
    return;
  }
  entry.ears.Follow(epoll.number(), id, entry.child.get());
  const bool is_thread = entry.child->traits().place == ChildTraits::Place::kThread;
  if (is_thread || entry.ears.deaf() || entry.child->wants_recheck()) {
    unclear.insert(id);
  } else {
    unclear.erase(id);
  }
}

}  // namespace

Errno AdoptedEvents(int* descriptor) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  if (!adopted.epoll.open()) adopted.epoll = AboveStdio(Descriptor(epoll_create1(EPOLL_CLOEXEC)));
  *descriptor = adopted.epoll.number();
  return adopted.epoll.open() ? Errno{} : Errno::Last(SYS_epoll_create1);
}

void Adopt(std::unique_ptr<Child> child) {
  Adopted& adopted = TheAdopted();
  const std::lock_guard lock(adopted.mutex);
  if (child->dying()) adopted.dying++;
  const uint64_t id = ++adopted.last_id;
  adopted.entries[id].child = std::move(child);
  adopted.count = adopted.entries.size();
  adopted.Look(id);
}

size_t ReapAdopted() {
  Adopted& adopted = TheAdopted();
  if (adopted.count == 0) return 0;
  const std::lock_guard lock(adopted.mutex);
  epoll_event events[kEvents];
  const int count = epoll_wait(adopted.epoll.number(), events, kEvents, 0);
  for (int i = 0; i < count; i++) adopted.Look(events[i].data.u64);
  const std::unordered_set<uint64_t> unclear = adopted.unclear;
  for (const uint64_t id : unclear) adopted.Look(id);
  return adopted.dying;
}

}  // namespace nsclone

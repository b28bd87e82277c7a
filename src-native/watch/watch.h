// The children of one environment (the main thread, a Worker), and one epoll descriptor that wakes it for all of them.
#ifndef NSCLONE_WATCH_WATCH_H_
#define NSCLONE_WATCH_WATCH_H_

#include <cstdint>
#include <memory>
#include <unordered_set>

#include "watch/children.h"
#include "watch/clock.h"
#include "watch/waker.h"

namespace nsclone {

// Who hears that a descriptor of JavaScript's can be read or written.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual void HearReady(int descriptor) = 0;
};

class Watch : private Listener, private Wakeable {
 public:
  static Errno Open(const WakerFor& open_waker, Listener* listener, Reader* reader, Watch** watch);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Never 0.
  uint32_t Add(std::unique_ptr<Child> child);
  Child* Find(uint32_t id) { return children_.Find(id); }
  // Hears what the child has to say, and takes it as far as the facts allow.
  void Look(uint32_t id);
  // SIGKILL for every process of a child.
  void End(uint32_t id);
  int SignalTree(uint32_t id, int signal);
  void HoldTree(uint32_t id, bool hold);
  // Whether this child keeps the event loop alive; at first it does.
  void SetRef(uint32_t id, bool ref);
  // Tells once of one of these events (EPOLLIN, EPOLLOUT), and keeps the event loop alive until then where `ref`.
  // Without events, of nothing any more: so before the descriptor is closed.
  Errno Await(int descriptor, uint32_t events, bool ref);
  // An eventfd that the end of a thread writes to.
  int wake() const { return wake_.number(); }

  // The environment ends: kills its children (`kill_all`: started ones too, but for detached ones), hands what is not
  // reaped at once to the process, closes the waker and calls `closed`, after which the watch is gone.
  void Close(bool kill_all, void (*closed)(void*), void* data);

 private:
  Watch(Listener* listener, Reader* reader) : listener_(listener), reader_(reader) {}
  ~Watch() override = default;

  bool Hear(uint32_t id, News news, const Child& child) override;
  void WakeUp() override;
  void HearReady(int descriptor);
  // Has the clock wake us where nothing else will.
  void Recheck() {
    if (children_.has_unclear()) clock_.Start();
  }
  void UpdateRef();

  Listener* listener_;
  Reader* reader_;
  Children children_;
  Descriptor wake_;
  Clock clock_;
  Waker* waker_ = nullptr;
  std::unordered_set<uint32_t> unreferenced_;
  // Descriptors that keep the event loop alive.
  std::unordered_set<int> awaited_;
  void (*closed_)(void*) = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_WATCH_H_

// The children of one environment (the main thread, a Worker), and one epoll descriptor that wakes it for all of them.
#ifndef NSCLONE_WATCH_WATCH_H_
#define NSCLONE_WATCH_WATCH_H_

#include <uv.h>

#include <cstdint>
#include <unordered_set>

#include "watch/children.h"

namespace nsclone {

class Watch : private Listener {
 public:
  static Errno Open(uv_loop_t* loop, Listener* listener, Watch** watch);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Never 0.
  uint32_t Add(std::unique_ptr<Child> child);
  Child* Find(uint32_t id) { return children_.Find(id); }
  // Hears what the child has to say, and takes it as far as the facts allow.
  void Look(uint32_t id);
  // SIGKILL for every process of a child.
  void End(uint32_t id);
  // Whether this child keeps the event loop alive; at first it does.
  void SetRef(uint32_t id, bool ref);
  // An eventfd that the end of a thread writes to.
  int wake() const { return wake_.number(); }

  // The environment ends: kills its children (`kill_all`: started ones too, but for detached ones), hands what is not
  // reaped at once to the process, closes the handles and calls `closed`, after which the watch is gone.
  void Close(bool kill_all, void (*closed)(void*), void* data);

 private:
  Watch(uv_loop_t* loop, Listener* listener) : loop_(loop), listener_(listener) {}
  ~Watch() override = default;

  void Hear(uint32_t id, News news, const Child& child) override;
  void WakeUp();
  // Has the clock wake us where nothing else will.
  void Recheck();
  void UpdateRef();

  uv_loop_t* loop_;
  Listener* listener_;
  Children children_;
  Descriptor wake_;
  uv_poll_t poll_;
  uv_timer_t timer_;
  std::unordered_set<uint32_t> unreferenced_;
  int open_handles_ = 0;
  void (*closed_)(void*) = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace nsclone

#endif  // NSCLONE_WATCH_WATCH_H_

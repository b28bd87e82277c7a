// What the addon keeps for one environment: the watch over its children and the way to tell JavaScript.
#ifndef NSCLONE_BINDING_ENVIRONMENT_H_
#define NSCLONE_BINDING_ENVIRONMENT_H_

#include <node_api.h>

#include <cstdint>

#include "launch/launch.h"
#include "watch/watch.h"

namespace nsclone {

// Places in the mailbox, a Float64Array that both sides know: what a call or a piece of news has to say beside its
// number. lib/addon.ts has the same list.
enum Mail : uint32_t {
  kMailPid = 0,
  kMailPidfd = 1,
  kMailInstruction = 2,
  kMailError = 3,
  kMailCode = 4,
  kMailSignal = 5,
  kMailCoreDumped = 6,
  kMailUsageKnown = 7,
  kMailCall = 8,   // the number of the system call that failed before the clone; -1 for none
  kMailUsage = 9,  // 16 values in the order of process.resourceUsage()
  kMailSize = 25,
};

class Environment : public Listener, public Reader {
 public:
  static Environment* Of(napi_env env);
  // Made when the addon is first asked to watch.
  static Errno Open(napi_env env, napi_value listener, napi_value mailbox, bool by_thread);

  bool Hear(uint32_t id, News news, const Child& child) override;
  void HearReady(int descriptor) override;

  Watch& watch() { return *watch_; }
  double* mailbox() { return mailbox_; }
  // The child whose news is being told: it may be out of the watch already, and still has results.
  const Child* Find(uint32_t id) { return id == told_id_ ? told_ : watch_->Find(id); }

 private:
  // Calls the listener.
  void Tell(uint32_t about, uint32_t news);
  static void CleanUp(void* data);

  napi_env env_ = nullptr;
  napi_ref listener_ = nullptr;
  napi_ref mailbox_reference_ = nullptr;
  // Released when all is closed; none where that is done within the hook.
  napi_async_cleanup_hook_handle hook_ = nullptr;
  double* mailbox_ = nullptr;
  Watch* watch_ = nullptr;
  // Woken by a thread of ours.
  bool by_thread_ = false;
  bool main_thread_ = false;
  bool closing_ = false;
  uint32_t told_id_ = 0;
  const Child* told_ = nullptr;
};

}  // namespace nsclone

#endif  // NSCLONE_BINDING_ENVIRONMENT_H_

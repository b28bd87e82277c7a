// What the addon keeps for one environment: the watch over its children and the way to tell JavaScript.
#ifndef NSCLONE_BINDING_ENVIRONMENT_H_
#define NSCLONE_BINDING_ENVIRONMENT_H_

#include <node_api.h>

#include <cstdint>
#include <unordered_map>

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
  kMailUsage = 8,  // 16 values in the order of process.resourceUsage()
  kMailSize = 24,
};

class Environment : public Watch::Listener {
 public:
  static Environment* Of(napi_env env);
  // Made when the addon is first asked to watch.
  static Errno Open(napi_env env, napi_value listener, napi_value mailbox, bool main_thread);

  void Hear(uint32_t id, News news, const Child& child) override;

  Watch& watch() { return *watch_; }
  double* mailbox() { return mailbox_; }
  // The child whose news is being told: it may be out of the watch already, and still has results.
  const Child* Find(uint32_t id) { return id == told_id_ ? told_ : watch_->Find(id); }

  // Ends of a pipe or a socket that JavaScript has to close: done at the end of a Worker where it did not come to that.
  void Lend(int child, int ours);

  Fault fault;

 private:
  void CloseLent();
  static void CleanUp(napi_async_cleanup_hook_handle hook, void* data);

  napi_env env_ = nullptr;
  napi_ref listener_ = nullptr;
  napi_ref mailbox_reference_ = nullptr;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  double* mailbox_ = nullptr;
  Watch* watch_ = nullptr;
  bool main_thread_ = false;
  bool closing_ = false;
  uint32_t told_id_ = 0;
  const Child* told_ = nullptr;
  std::unordered_map<int, uint64_t> lent_;  // inode numbers, which no two pipes or sockets share
};

}  // namespace nsclone

#endif  // NSCLONE_BINDING_ENVIRONMENT_H_

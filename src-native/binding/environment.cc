// One environment's life: opened by its first use, closed by a cleanup hook that waits for the last close callback.
#include "binding/environment.h"

#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "binding/instance.h"
#include "binding/wakers.h"

namespace nsclone {
namespace {

// Beside the news of children.
constexpr uint32_t kDescriptorReady = 4;

double Microseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

void PostEnd(const End& end, double* mailbox) {
  mailbox[kMailCode] = end.code;
  mailbox[kMailSignal] = end.signal;
  mailbox[kMailCoreDumped] = end.core_dumped ? 1 : 0;
  mailbox[kMailUsageKnown] = end.usage_known ? 1 : 0;
  const rusage& usage = end.usage;
  const double values[] = {Microseconds(usage.ru_utime),          Microseconds(usage.ru_stime),
                           static_cast<double>(usage.ru_maxrss),  static_cast<double>(usage.ru_ixrss),
                           static_cast<double>(usage.ru_idrss),   static_cast<double>(usage.ru_isrss),
                           static_cast<double>(usage.ru_minflt),  static_cast<double>(usage.ru_majflt),
                           static_cast<double>(usage.ru_nswap),   static_cast<double>(usage.ru_inblock),
                           static_cast<double>(usage.ru_oublock), static_cast<double>(usage.ru_msgsnd),
                           static_cast<double>(usage.ru_msgrcv),  static_cast<double>(usage.ru_nsignals),
                           static_cast<double>(usage.ru_nvcsw),   static_cast<double>(usage.ru_nivcsw)};
  static_assert(sizeof(values) / sizeof(values[0]) == kMailSize - kMailUsage);
  memcpy(mailbox + kMailUsage, values, sizeof(values));
}

}  // namespace

Environment* Environment::Of(napi_env env) { return Instance::Of(env)->environment; }

Errno Environment::Open(napi_env env, napi_value listener, napi_value mailbox, bool by_thread) {
  auto* environment = new Environment;
  const auto open_waker = [env, by_thread](int epoll, Wakeable* wakeable, Waker** waker) {
    return (by_thread ? OpenThreadWaker : OpenPollWaker)(env, epoll, wakeable, waker);
  };
  if (const Errno error = Watch::Open(open_waker, environment, environment, &environment->watch_)) {
    delete environment;
    return error;
  }
  environment->env_ = env;
  environment->by_thread_ = by_thread;
  environment->main_thread_ = OnMainThread();
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, mailbox, nullptr, &length, &data, nullptr, nullptr);
  environment->mailbox_ = static_cast<double*>(data);
  napi_create_reference(env, mailbox, 1, &environment->mailbox_reference_);
  napi_create_reference(env, listener, 1, &environment->listener_);
  // A thread is joined at once. Besides, Deno frees an async hook twice that is done at once.
  if (by_thread) {
    napi_add_env_cleanup_hook(env, CleanUp, environment);
  } else {
    const auto clean_up = [](napi_async_cleanup_hook_handle, void* data) { CleanUp(data); };
    napi_add_async_cleanup_hook(env, clean_up, environment, &environment->hook_);
  }
  Instance::Of(env)->environment = environment;
  return {};
}

void Environment::CleanUp(void* data) {
  auto* environment = static_cast<Environment*>(data);
  environment->closing_ = true;
  Instance::Of(environment->env_)->environment = nullptr;
  // At the end of the main thread started children live on, as they do with child_process.
  environment->watch_->Close(
      !environment->main_thread_,
      [](void* closed) {
        auto* gone = static_cast<Environment*>(closed);
        // Only now: the environment, and with it the loop, may go as soon as the hook is released.
        if (gone->hook_ != nullptr) napi_remove_async_cleanup_hook(gone->hook_);
        delete gone;
      },
      environment);
}

bool Environment::Hear(uint32_t id, News news, const Child& child) {
  if (closing_) return true;
  mailbox_[kMailPid] = child.program().pid();
  mailbox_[kMailPidfd] = child.program().pidfd();
  if (news == News::kWaiting || news == News::kFailed) {
    mailbox_[kMailInstruction] = child.instruction();
    mailbox_[kMailError] = child.error();
    // The stub is the one that waits, not yet the program.
    if (!child.program().known()) {
      mailbox_[kMailPid] = child.middle().pid();
      mailbox_[kMailPidfd] = child.middle().pidfd();
    }
  }
  if (news == News::kEnded) mailbox_[kMailError] = child.tree_left() ? EPERM : 0;
  if (news == News::kEnded || news == News::kFailed) PostEnd(child.end(), mailbox_);
  // A listener may hear of another child within.
  const auto outer = std::pair(told_id_, told_);
  told_id_ = id;
  told_ = &child;
  Tell(id, static_cast<uint32_t>(news));
  std::tie(told_id_, told_) = outer;
  // Promises go on when the outermost callback returns, which is that of the thread-safe function.
  return !by_thread_;
}

void Environment::HearReady(int descriptor) {
  if (!closing_) Tell(static_cast<uint32_t>(descriptor), kDescriptorReady);
}

void Environment::Tell(uint32_t about, uint32_t news) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value listener = nullptr;
  napi_value receiver = nullptr;
  napi_value arguments[2] = {};
  napi_get_reference_value(env_, listener_, &listener);
  napi_create_object(env_, &receiver);
  napi_create_uint32(env_, about, &arguments[0]);
  napi_create_uint32(env_, news, &arguments[1]);
  // The raw calls: during worker.terminate() they fail with nothing to clear, which the wrapped ones turn into an
  // abort. A thread-safe function is called in a callback scope already, and in one Deno loses what is thrown. That of
  // libuv is without an async context: one made here would be that of the first call of this environment, kept alive
  // for ever, and each child has one of its own. The receiver is then what async hooks take for the resource: never the
  // global object, on which a store would stay.
  const napi_status status = by_thread_ ? napi_call_function(env_, receiver, listener, 2, arguments, nullptr)
                                        : napi_make_callback(env_, nullptr, receiver, listener, 2, arguments, nullptr);
  if (status == napi_pending_exception) {
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
  }
  napi_close_handle_scope(env_, scope);
}

}  // namespace nsclone

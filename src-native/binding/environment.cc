// One environment's life: opened by its first use, closed by an async cleanup hook that waits for the last close
// callback.
#include "binding/environment.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace nsclone {
namespace {

// glibc has a function of that name since 2.33 only; its struct is the kernel's on both architectures.
int FileStatus(int descriptor, struct stat* about) { return static_cast<int>(syscall(SYS_fstat, descriptor, about)); }

// False for what is neither pipe, socket nor terminal.
bool Identify(int descriptor, FileIdentity* identity) {
  struct stat about = {};
  if (FileStatus(descriptor, &about) != 0) return false;
  if (!S_ISFIFO(about.st_mode) && !S_ISSOCK(about.st_mode) && !S_ISCHR(about.st_mode)) return false;
  identity->inode = about.st_ino;
  if (S_ISCHR(about.st_mode) && ioctl(descriptor, TIOCGPTN, &identity->terminal) != 0) identity->terminal = -1;
  return true;
}

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

Environment* Environment::Of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

Errno Environment::Open(napi_env env, napi_value listener, napi_value mailbox, bool main_thread) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto* environment = new Environment;
  if (const Errno error = Watch::Open(loop, environment, &environment->watch_)) {
    delete environment;
    return error;
  }
  environment->env_ = env;
  environment->main_thread_ = main_thread;
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, mailbox, nullptr, &length, &data, nullptr, nullptr);
  environment->mailbox_ = static_cast<double*>(data);
  napi_create_reference(env, mailbox, 1, &environment->mailbox_reference_);
  napi_create_reference(env, listener, 1, &environment->listener_);
  napi_add_async_cleanup_hook(env, CleanUp, environment, &environment->hook_);
  napi_set_instance_data(env, environment, nullptr, nullptr);
  return {};
}

void Environment::Lend(int descriptor) {
  FileIdentity identity;
  // With the main thread all descriptors end.
  if (!main_thread_ && Identify(descriptor, &identity)) lent_[descriptor] = identity;
}

// Streams have closed theirs before the first cleanup hook runs, and the number may be another file's by now.
void Environment::CloseLent() {
  for (const auto& [descriptor, lent] : lent_) {
    FileIdentity identity;
    if (Identify(descriptor, &identity) && identity == lent) close(descriptor);
  }
}

void Environment::CleanUp(napi_async_cleanup_hook_handle, void* data) {
  auto* environment = static_cast<Environment*>(data);
  environment->closing_ = true;
  napi_set_instance_data(environment->env_, nullptr, nullptr, nullptr);
  environment->CloseLent();
  // At the end of the main thread started children live on, as they do with child_process.
  environment->watch_->Close(
      !environment->main_thread_,
      [](void* closed) {
        auto* gone = static_cast<Environment*>(closed);
        // Only now: the environment, and with it the loop, may go as soon as the hook is released.
        napi_remove_async_cleanup_hook(gone->hook_);
        delete gone;
      },
      environment);
}

void Environment::Hear(uint32_t id, News news, const Child& child) {
  if (closing_) return;
  mailbox_[kMailPid] = child.program().pid();
  mailbox_[kMailPidfd] = child.program().pidfd();
  if (news == News::kWaiting || news == News::kFailed) {
    mailbox_[kMailInstruction] = child.instruction();
    mailbox_[kMailError] = child.error();
    // The stub is the one that waits, not yet the program.
    if (!child.program().known()) mailbox_[kMailPid] = child.middle().pid();
  }
  if (news == News::kEnded || news == News::kFailed) PostEnd(child.end(), mailbox_);

  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value listener = nullptr;
  napi_value receiver = nullptr;
  napi_value arguments[2] = {};
  napi_get_reference_value(env_, listener_, &listener);
  napi_create_object(env_, &receiver);
  napi_create_uint32(env_, id, &arguments[0]);
  napi_create_uint32(env_, static_cast<uint32_t>(news), &arguments[1]);
  told_id_ = id;
  told_ = &child;
  // The raw call: during worker.terminate() it fails with nothing to clear, which the wrapped one turns into an abort.
  // Without an async context: one made here would be that of the first call of this environment, kept alive for ever,
  // and each child has one of its own. The receiver is then what async hooks take for the resource: never the global
  // object, on which a store would stay.
  const napi_status status = napi_make_callback(env_, nullptr, receiver, listener, 2, arguments, nullptr);
  told_id_ = 0;
  told_ = nullptr;
  if (status == napi_pending_exception) {
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
  }
  napi_close_handle_scope(env_, scope);
}

}  // namespace nsclone

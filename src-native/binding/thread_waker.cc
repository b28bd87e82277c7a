// A thread that sleeps in epoll_wait(2), and a thread-safe function by which it calls the JavaScript thread.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "binding/wakers.h"
#include "launch/descriptor.h"

#ifdef __GLIBC__
// The versions that systems as old as Node's own floor have (glibc 2.28): since 2.34 there is another one of each.
#ifdef __x86_64__
#define NSCLONE_GLIBC "GLIBC_2.2.5"
#else
#define NSCLONE_GLIBC "GLIBC_2.17"
#endif
__asm__(".symver pthread_create, pthread_create@" NSCLONE_GLIBC);
__asm__(".symver pthread_join, pthread_join@" NSCLONE_GLIBC);
#endif

namespace nsclone {
namespace {

constexpr uint64_t kStopId = 0;
constexpr uint64_t kReadyId = 1;

class ThreadWaker final : public Waker {
 public:
  Errno Open(napi_env env, int epoll, Wakeable* wakeable);
  void SetRef(bool ref) override;
  void Close(void (*closed)(void*), void* data) override;
  // What has been made of it, where it could not be opened.
  void Abandon();

 private:
  Errno OpenGate();
  Errno MakeFunction();
  Errno StartThread();
  // Lets the thread see the next event. Level-triggered, it would call for one and the same until this thread has come
  // to look.
  Errno Arm(int operation);
  void Sleep();
  // Joins the thread. Nobody is called any more.
  void Stop();
  // Whoever comes last, the watch or the runtime, takes it away.
  void LetGo();
  static void CallBack(napi_env env, napi_value callback, void* context, void* data);
  static void Finalize(napi_env env, void* data, void* hint);

  napi_env env_ = nullptr;
  int epoll_ = -1;
  Wakeable* wakeable_ = nullptr;
  napi_threadsafe_function function_ = nullptr;
  // What the thread sleeps in: the epoll set, and the order to stop.
  Descriptor gate_;
  Descriptor stop_;
  pthread_t thread_ = {};
  bool sleeps_ = false;
  bool ref_ = false;
  // The watch, and the thread-safe function: a runtime ends that before the environment or after it.
  int owners_ = 1;
};

Errno ThreadWaker::Arm(int operation) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = kReadyId;
  return epoll_ctl(gate_.number(), operation, epoll_, &event) == 0 ? Errno{} : Errno::Last(SYS_epoll_ctl);
}

Errno ThreadWaker::OpenGate() {
  gate_ = AboveStdio(Descriptor(epoll_create1(EPOLL_CLOEXEC)));
  if (!gate_.open()) return Errno::Last(SYS_epoll_create1);
  stop_ = AboveStdio(Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!stop_.open()) return Errno::Last(SYS_eventfd2);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kStopId;
  if (epoll_ctl(gate_.number(), EPOLL_CTL_ADD, stop_.number(), &event) != 0) return Errno::Last(SYS_epoll_ctl);
  return Arm(EPOLL_CTL_ADD);
}

Errno ThreadWaker::MakeFunction() {
  napi_value name = nullptr;
  napi_create_string_utf8(env_, "nsclone", NAPI_AUTO_LENGTH, &name);
  const napi_status status =
      napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, this, Finalize, this, CallBack, &function_);
  if (status != napi_ok) return {ENOMEM};
  owners_++;
  napi_unref_threadsafe_function(env_, function_);
  return {};
}

Errno ThreadWaker::StartThread() {
  // Signals are for the threads of the runtime.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // Of the calling thread alone, as pthread_sigmask(3), which is another one since glibc 2.32.
  sigprocmask(SIG_SETMASK, &all, &before);
  const auto sleep = [](void* waker) -> void* {
    static_cast<ThreadWaker*>(waker)->Sleep();
    return nullptr;
  };
  const int error = pthread_create(&thread_, nullptr, sleep, this);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  sleeps_ = error == 0;
  return {error, SYS_clone};
}

Errno ThreadWaker::Open(napi_env env, int epoll, Wakeable* wakeable) {
  env_ = env;
  epoll_ = epoll;
  wakeable_ = wakeable;
  if (const Errno error = OpenGate()) return error;
  if (const Errno error = MakeFunction()) return error;
  return StartThread();
}

void ThreadWaker::Sleep() {
  prctl(PR_SET_NAME, "nsclone");
  for (;;) {
    epoll_event event = {};
    const int count = epoll_wait(gate_.number(), &event, 1, -1);
    if (count < 0 && errno != EINTR) return;
    if (count < 1) continue;
    if (event.data.u64 == kStopId) return;
    if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) != napi_ok) return;
  }
}

void ThreadWaker::CallBack(napi_env env, napi_value, void* context, void*) {
  auto* waker = static_cast<ThreadWaker*>(context);
  // Called without an environment to clear what was queued at its end.
  if (env == nullptr || waker->wakeable_ == nullptr) return;
  waker->wakeable_->WakeUp();
  // Its JavaScript may have ended the environment.
  if (waker->wakeable_ != nullptr) static_cast<void>(waker->Arm(EPOLL_CTL_MOD));
}

void ThreadWaker::SetRef(bool ref) {
  if (ref == ref_ || function_ == nullptr) return;
  ref_ = ref;
  ref ? napi_ref_threadsafe_function(env_, function_) : napi_unref_threadsafe_function(env_, function_);
}

void ThreadWaker::Stop() {
  wakeable_ = nullptr;
  if (!sleeps_) return;
  const uint64_t one = 1;
  static_cast<void>(write(stop_.number(), &one, sizeof(one)));
  pthread_join(thread_, nullptr);
  sleeps_ = false;
  // Deno never finalizes the function of a Worker that has ended.
  gate_.Close();
  stop_.Close();
}

void ThreadWaker::LetGo() {
  if (--owners_ == 0) delete this;
}

void ThreadWaker::Finalize(napi_env, void* data, void*) {
  auto* waker = static_cast<ThreadWaker*>(data);
  waker->Stop();
  waker->function_ = nullptr;
  waker->LetGo();
}

void ThreadWaker::Abandon() {
  Stop();
  if (function_ != nullptr) napi_release_threadsafe_function(function_, napi_tsfn_abort);
  LetGo();
}

void ThreadWaker::Close(void (*closed)(void*), void* data) {
  Abandon();
  closed(data);
}

}  // namespace

Errno OpenThreadWaker(napi_env env, int epoll, Wakeable* wakeable, Waker** waker) {
  auto* made = new ThreadWaker;
  const Errno error = made->Open(env, epoll, wakeable);
  if (error) {
    made->Abandon();
  } else {
    *waker = made;
  }
  return error;
}

}  // namespace nsclone

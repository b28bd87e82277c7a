// What moves the calling thread: unshare(2), setns(2), a visit with a way back, and what a new namespace is given.
#include <fcntl.h>
#include <link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "binding/calls.h"
#include "binding/lent.h"
#include "launch/descriptor.h"
#include "launch/home.h"
#include "launch/result.h"

// Other runtimes have none of it, and no thread pool.
#pragma weak uv_thread_create
#pragma weak uv_thread_join

namespace nsclone {
namespace {

// A refusal of the way back, in the place of a target.
constexpr int32_t kWayBack = -1;

// A thread that is started meanwhile has all signals blocked. On Linux it is the mask of the calling thread.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t every;
    sigfillset(&every);
    sigprocmask(SIG_SETMASK, &every, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Targets, as [descriptor, kinds] each, in an array that is told of a refusal: [place, number of the system call].
class Places {
 public:
  explicit Places(const Napi::CallbackInfo& info)
      : array_(info[0].As<Napi::Int32Array>()), targets_(info[1].As<Napi::Number>().Uint32Value()) {
    for (size_t i = 0; i < targets_.size(); i++) {
      targets_[i] = {array_[2 * i], array_[2 * i + 1]};
      kinds_ |= targets_[i].kinds;
    }
  }

  int kinds() const { return kinds_; }
  size_t count() const { return targets_.size(); }
  const std::vector<Target>& targets() const { return targets_; }
  Refusal EnterAll(const char* caller) const { return Enter(targets_.data(), targets_.size(), caller); }

  Napi::Value Tell(const Napi::CallbackInfo& info, const Errno& error, int32_t place) {
    array_[size_t{0}] = place;
    array_[size_t{1}] = error.call;
    return Number(info, -error.value);
  }

 private:
  Napi::Int32Array array_;
  std::vector<Target> targets_;
  int kinds_ = 0;
};

thread_local bool made_pid = false;

// unshare(flags) -> 0
Napi::Value Unshare(const Napi::CallbackInfo& info) {
  const auto flags = static_cast<int>(info[0].As<Napi::Number>().Uint32Value());
  if ((flags & CLONE_NEWNS) != 0) NoteOwnFiles();
  if (unshare(flags) != 0) return Number(info, -errno);
  if ((flags & CLONE_NEWPID) != 0) made_pid = true;
  return Number(info, 0);
}

// hasMadePid() -> 1 where this thread has made a pid namespace for its children
Napi::Value HasMadePid(const Napi::CallbackInfo& info) { return Number(info, made_pid ? 1 : 0); }

// What a thread does that nobody needs any more.
struct Attempt {
  const std::vector<Target>& targets;
  Refusal refusal;
};

// Whether all of several can be entered: a thread of their own tries it, as for one that is in some of them there may
// be no way back. @returns whether it could: after a move of pid there can be no new thread, and threads may be short.
bool Try(const std::vector<Target>& targets, Refusal* refusal) {
  Attempt attempt = {targets, {}};
  uv_thread_t thread = {};
  const auto enter = [](void* data) {
    auto* attempted = static_cast<Attempt*>(data);
    int entered = 0;
    attempted->refusal = EnterUpTo(attempted->targets.data(), attempted->targets.size(), &entered);
  };
  const SignalsHeld held;
  if (uv_thread_create == nullptr || uv_thread_create(&thread, enter, &attempt) != 0) return false;
  uv_thread_join(&thread);
  *refusal = attempt.refusal;
  return true;
}

// The way back of a thread, where there is one.
Errno ProveWayBack(int kinds, Home* home, const char* caller) {
  if (const Errno error = home->Open(kinds)) return error;
  return home->Prove(kinds, caller);
}

// enter(places: Int32Array, count) -> 0: all or none
Napi::Value EnterTargets(const Napi::CallbackInfo& info) {
  Places places(info);
  Refusal refusal;
  if (places.count() > 1 && !Try(places.targets(), &refusal)) {
    Home home;
    if (const Errno error = ProveWayBack(places.kinds(), &home, "setns()")) return places.Tell(info, error, kWayBack);
  }
  if (!refusal.error) refusal = places.EnterAll("setns()");
  return refusal.error ? places.Tell(info, refusal.error, static_cast<int32_t>(refusal.target)) : Number(info, 0);
}

// Back at the end of its scope, however the function in it ends: worker.terminate() and the `timeout` of node:vm leave
// a function without running its `finally`.
class Visit {
 public:
  Visit(const Home& home, int kinds) : home_(home), kinds_(kinds) {}
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() { home_.Return(kinds_, "runIn()"); }

 private:
  const Home& home_;
  const int kinds_;
};

// visit(places: Int32Array, count, function) -> 0, after the function was called there and the thread is back. What the
// function throws goes on to the caller.
Napi::Value VisitTargets(const Napi::CallbackInfo& info) {
  Places places(info);
  Home home;
  if (const Errno error = ProveWayBack(places.kinds(), &home, "runIn()")) return places.Tell(info, error, kWayBack);
  const Refusal refusal = places.EnterAll("runIn()");
  if (refusal.error) return places.Tell(info, refusal.error, static_cast<int32_t>(refusal.target));
  {
    const Visit visit(home, places.kinds());
    napi_value nobody = nullptr;
    napi_get_undefined(info.Env(), &nobody);
    if (napi_call_function(info.Env(), nobody, info[2], 0, nullptr, nullptr) != napi_ok) return {};
  }
  return Number(info, 0);
}

// setHostname(name) -> 0
Napi::Value SetHostname(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return Number(info, sethostname(name.data(), name.size()) == 0 ? 0 : -errno);
}

// raiseLoopback(places: Int32Array, 0) -> 0: with the first interface up the kernel gives it 127.0.0.1 and ::1 by
// itself
Napi::Value RaiseLoopback(const Napi::CallbackInfo& info) {
  Places places(info);
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any.open()) return places.Tell(info, Errno::Last(SYS_socket), 0);
  ifreq request = {};
  memcpy(request.ifr_name, "lo", sizeof("lo"));
  request.ifr_flags = IFF_UP;
  if (ioctl(any.number(), SIOCSIFFLAGS, &request) != 0) return places.Tell(info, Errno::Last(SYS_ioctl), 0);
  return Number(info, 0);
}

// duplicate(descriptor) -> another one of the same file
Napi::Value Duplicate(const Napi::CallbackInfo& info) {
  const int descriptor = fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
  if (descriptor < 0) return Number(info, -errno);
  Lent::Of(info.Env())->Add(descriptor);
  return Number(info, descriptor);
}

// Whether a part of an object is where this code is. Not dladdr(3), of which binaries of a new glibc want the new
// version.
bool IsOurs(const dl_phdr_info& object) {
  static const char here = 0;
  const auto address = reinterpret_cast<uintptr_t>(&here);
  for (int i = 0; i < object.dlpi_phnum; i++) {
    const uintptr_t from = object.dlpi_addr + object.dlpi_phdr[i].p_vaddr;
    if (object.dlpi_phdr[i].p_type == PT_LOAD && address >= from && address - from < object.dlpi_phdr[i].p_memsz)
      return true;
  }
  return false;
}

// file() -> the path that this addon was loaded from
Napi::Value File(const Napi::CallbackInfo& info) {
  const char* path = "";
  const auto look = [](dl_phdr_info* object, size_t, void* found) {
    if (!IsOurs(*object)) return 0;
    *static_cast<const char**>(found) = object->dlpi_name;
    return 1;
  };
  dl_iterate_phdr(look, &path);
  return Napi::String::New(info.Env(), path);
}

// What libuv starts by default, and at most; see its documentation of the thread pool.
constexpr int kPool = 4;
constexpr int kLargestPool = 1024;

int PoolSize() {
  const char* wanted = getenv("UV_THREADPOOL_SIZE");
  const int size = wanted == nullptr ? kPool : atoi(wanted);
  return size < 1 ? 1 : size > kLargestPool ? kLargestPool : size;
}

// A thread that waits until all of them are there.
struct Trial {
  uv_thread_t thread = {};
  std::mutex* all_are_there = nullptr;
  pid_t id = 0;
};

void Wait(void* data) {
  auto* trial = static_cast<Trial*>(data);
  trial->id = static_cast<pid_t>(syscall(SYS_gettid));
  const std::lock_guard<std::mutex> lock(*trial->all_are_there);
}

// As many threads as the pool has, at once, with stacks of the same size. @returns errno
int TryThreads() {
  std::mutex all_are_there;
  std::vector<Trial> trials(static_cast<size_t>(PoolSize()));
  size_t made = 0;
  int error = 0;
  const SignalsHeld held;
  all_are_there.lock();
  while (error == 0 && made < trials.size()) {
    Trial& trial = trials[made];
    trial.all_are_there = &all_are_there;
    error = -uv_thread_create(&trial.thread, Wait, &trial);
    if (error == 0) made++;
  }
  all_are_there.unlock();
  for (size_t i = 0; i < made; i++) {
    uv_thread_join(&trials[i].thread);
    // The kernel tells that it has ended before it counts it no more, see release_task() there.
    while (syscall(SYS_tgkill, getpid(), trials[i].id, 0) == 0) sched_yield();
  }
  return error;
}

// startThreadPool() -> 0. A thread is born where the thread is that starts it, and libuv starts its pool with the first
// job: in the thread that happens to have it. After unshare(CLONE_NEWPID) a thread can create none any more, and libuv
// aborts when its pool cannot start: so it is tried before. The first job starts all of its threads before
// uv_queue_work() returns. As Node's own kind of job: a Worker that ends waits for those, and aborts the process over
// one that it does not know.
Napi::Value StartThreadPool(const Napi::CallbackInfo& info) {
  static std::atomic<bool> started{false};
  if (started) return Number(info, 0);
  if (const int error = TryThreads()) return Number(info, -error);
  struct Job {
    napi_async_work work;
  };
  napi_env env = info.Env();
  auto* job = new Job;
  const auto done = [](napi_env environment, napi_status, void* data) {
    auto* finished = static_cast<Job*>(data);
    napi_delete_async_work(environment, finished->work);
    delete finished;
  };
  napi_value name = nullptr;
  napi_create_string_utf8(env, "nsclone", NAPI_AUTO_LENGTH, &name);
  if (napi_create_async_work(env, nullptr, name, [](napi_env, void*) {}, done, job, &job->work) != napi_ok) {
    delete job;
    return Number(info, -ENOMEM);
  }
  napi_queue_async_work(env, job->work);
  started = true;
  return Number(info, 0);
}

}  // namespace

void ExportThreads(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "unshare", Entry<Unshare>);
  Export(env, exports, "hasMadePid", Entry<HasMadePid>);
  Export(env, exports, "enter", Entry<EnterTargets>);
  Export(env, exports, "visit", Entry<VisitTargets>);
  Export(env, exports, "setHostname", Entry<SetHostname>);
  Export(env, exports, "raiseLoopback", Entry<RaiseLoopback>);
  Export(env, exports, "duplicate", Entry<Duplicate>);
  Export(env, exports, "file", Entry<File>);
  Export(env, exports, "startThreadPool", Entry<StartThreadPool>);
}

}  // namespace nsclone

// Starting, steering and reading children.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "binding/calls.h"
#include "binding/environment.h"
#include "binding/lent.h"
#include "launch/stub_descriptor.h"
#include "watch/reaper.h"
#include "watch/taken.h"

namespace nsclone {
namespace {

template <typename T>
T* Elements(const Napi::Value& value) {
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, &length, &data, nullptr, nullptr);
  return static_cast<T*>(data);
}

uint32_t Count(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }
int32_t Integer(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }

// The first eight arguments of both ways to launch: four arrays, each with how much of it is filled.
Image ImageOf(const Napi::CallbackInfo& info) {
  return {.instructions = reinterpret_cast<const Instruction*>(Elements<uint8_t>(info[0])),
          .instruction_count = Count(info[1]),
          .data = Elements<uint8_t>(info[2]),
          .data_size = Count(info[3]),
          .relocations = Elements<uint32_t>(info[4]),
          .relocation_count = Count(info[5]),
          .kept = Elements<int32_t>(info[6]),
          .kept_count = Count(info[7])};
}

Napi::Value Refused(const Napi::CallbackInfo& info, Errno error) { return Number(info, -error.value); }

// With what it was that failed.
Napi::Value Refused(const Napi::CallbackInfo& info, Environment* environment, Errno error, uint32_t culprit = 0) {
  environment->mailbox()[kMailCall] = error.call;
  environment->mailbox()[kMailInstruction] = culprit;
  return Refused(info, error);
}

#ifdef NSCLONE_FAULTS
// Of the thread: the package and a test may each have loaded the addon for itself.
thread_local Fault next_fault;

Fault TakeFault() { return std::exchange(next_fault, {}); }
#else
Fault TakeFault() { return {}; }
#endif

Napi::Value Added(const Napi::CallbackInfo& info, Environment* environment, Launched launched, Descriptor wake,
                  ChildTraits traits, std::unique_ptr<Tree> tree = nullptr) {
  environment->mailbox()[kMailPid] = launched.pid;
  environment->mailbox()[kMailPidfd] = launched.pidfd.number();
  auto child = std::make_unique<Child>(std::move(launched), traits);
  child->Keep(std::move(wake));
  child->Plant(std::move(tree));
  return Number(info, environment->watch().Add(std::move(child)));
}

// open(listener, mailbox, byThread) -> 0
Napi::Value Open(const Napi::CallbackInfo& info) {
  const Errno error = Environment::Open(info.Env(), info[0], info[1], Truth(info[2]));
  Elements<double>(info[1])[kMailCall] = error.call;
  return Refused(info, error);
}

// prepare(stubPath, mailbox) -> 0: opens the stub, so that a host which forbids it says so before anything is cloned.
Napi::Value Prepare(const Napi::CallbackInfo& info) {
  int stub = -1;
  const Errno error = OpenStub(info[0].As<Napi::String>().Utf8Value().c_str(), &stub);
  Elements<double>(info[1])[kMailCall] = error.call;
  return Refused(info, error);
}

// What ends together with a command: none, its process group, or a cgroup by descriptors, which are the tree's from
// here on.
enum class TreeWay : uint32_t { kNone, kGroup, kCgroup, kFreezer };

std::unique_ptr<Tree> TreeOf(TreeWay way, const int (&numbers)[3], Napi::Env env) {
  if (way == TreeWay::kNone) return nullptr;
  if (way == TreeWay::kGroup) return GroupTree();
  for (const int number : numbers) Lent::Of(env)->Remove(number);
  Descriptor folder(numbers[0]);
  if (way == TreeWay::kFreezer) return FreezerTree(std::move(folder), Descriptor(numbers[1]));
  return CgroupTree(std::move(folder), Descriptor(numbers[1]), Descriptor(numbers[2]));
}

// launch(…image, lowest, forks, detached, init, exposed, tree, …its descriptors) -> id
Napi::Value Launch(const Napi::CallbackInfo& info) {
  Environment* environment = Environment::Of(info.Env());
  if (environment == nullptr) return Refused(info, {ESHUTDOWN});
  ReapAdopted();
  InStub how = {.stub = -1, .lowest = Integer(info[8]), .forks = Truth(info[9])};
  if (const Errno error = OpenStub("", &how.stub)) return Refused(info, environment, error);
  const auto way = static_cast<TreeWay>(Count(info[13]));
  const int tree[] = {Integer(info[14]), Integer(info[15]), Integer(info[16])};
  const bool takes = way == TreeWay::kCgroup || way == TreeWay::kFreezer;
  const int untaken = takes ? TakeCgroup(tree[0], tree[2]) : 0;
  if (untaken != 0) return Refused(info, environment, {untaken, -1});
  Launched launched;
  const Errno error = LaunchStub(ImageOf(info), how, TakeFault(), &launched);
  if (error) {
    if (takes) LeaveCgroup(tree[0]);
    return Refused(info, environment, error);
  }
  return Added(info, environment, std::move(launched), {},
               {.forks = how.forks, .detached = Truth(info[10]), .init = Truth(info[11]), .exposed = Truth(info[12])},
               TreeOf(way, tree, info.Env()));
}

// launchInPlace(…image, flags, exitSignal, executes) -> id
Napi::Value LaunchHere(const Napi::CallbackInfo& info) {
  Environment* environment = Environment::Of(info.Env());
  if (environment == nullptr) return Refused(info, {ESHUTDOWN});
  const uint32_t flags = Count(info[8]);
  const bool thread = (flags & CLONE_THREAD) != 0;
  // A number of its own: the thread may outlive this environment, and must not write into what is opened later.
  Descriptor wake(thread ? fcntl(environment->watch().wake(), F_DUPFD_CLOEXEC, 3) : -1);
  if (thread && !wake.open()) return Refused(info, environment, Errno::Last(SYS_fcntl));
  const InPlace how = {
      .flags = flags, .exit_signal = Integer(info[9]), .executes = Truth(info[10]), .wake = wake.number()};
  Launched launched;
  uint32_t culprit = 0;
  const Errno error = LaunchInPlace(ImageOf(info), how, TakeFault(), &launched, &culprit);
  if (error) return Refused(info, environment, error, culprit);
  return Added(info, environment, std::move(launched), std::move(wake),
               {.place = thread ? ChildTraits::Place::kThread : ChildTraits::Place::kHere, .executes = how.executes});
}

// perform(…image, results, data) -> 0
Napi::Value PerformHere(const Napi::CallbackInfo& info) {
  Environment* environment = Environment::Of(info.Env());
  if (environment == nullptr) return Refused(info, {ESHUTDOWN});
  std::unique_ptr<MemoryFile> file;
  Program program;
  uint32_t culprit = 0;
  const Errno error = Perform(ImageOf(info), TakeFault(), &file, &program, &culprit);
  if (error) return Refused(info, environment, error, culprit);
  const Report* report = file->report();
  const bool failed = report->state == static_cast<uint32_t>(State::kFailed);
  environment->mailbox()[kMailInstruction] = report->instruction;
  environment->mailbox()[kMailError] = failed ? report->error : 0;
  environment->mailbox()[kMailSignal] = 0;
  auto* results = Elements<double>(info[8]);
  for (uint32_t slot = 0; slot < kResults; slot++) results[slot] = static_cast<double>(report->results[slot]);
  auto data = info[9].As<Napi::Uint8Array>();
  memcpy(data.Data(), program.data, std::min<size_t>(data.ByteLength(), program.header->data_size));
  return Number(info, 0);
}

// None before the watch is opened, nor once the environment is being torn down.
Child* Known(const Napi::CallbackInfo& info) {
  Environment* environment = Environment::Of(info.Env());
  return environment == nullptr ? nullptr : environment->watch().Find(Count(info[0]));
}

// As Known(), for a child in place, whose memory is kept until its end has been told.
const Child* Remembered(const Napi::CallbackInfo& info) {
  Environment* environment = Environment::Of(info.Env());
  const Child* child = environment == nullptr ? nullptr : environment->Find(Count(info[0]));
  return child != nullptr && child->has_memory() ? child : nullptr;
}

// go(id, outlives) -> 0
Napi::Value Go(const Napi::CallbackInfo& info) {
  Child* child = Known(info);
  if (child == nullptr) return Number(info, -ESRCH);
  const int error = child->Go();
  if (error == 0 && Truth(info[1])) child->Outlive();
  return Number(info, -error);
}

// kill(id, signal) -> 0: through the pidfd
Napi::Value Kill(const Napi::CallbackInfo& info) {
  Child* child = Known(info);
  return Number(info, child == nullptr ? -ESRCH : -child->Signal(Integer(info[1])));
}

// killTree(id, signal) -> 0: for all that ends together with it
Napi::Value KillTree(const Napi::CallbackInfo& info) {
  if (Known(info) == nullptr) return Number(info, -ESRCH);
  return Number(info, -Environment::Of(info.Env())->watch().SignalTree(Count(info[0]), Integer(info[1])));
}

// holdTree(id, hold): whether its end is told only when it is let go of
Napi::Value HoldTree(const Napi::CallbackInfo& info) {
  if (Known(info) != nullptr) Environment::Of(info.Env())->watch().HoldTree(Count(info[0]), Truth(info[1]));
  return Number(info, 0);
}

// look(id): tells now what there is to be heard of a child
Napi::Value LookAt(const Napi::CallbackInfo& info) {
  if (Known(info) != nullptr) Environment::Of(info.Env())->watch().Look(Count(info[0]));
  return Number(info, 0);
}

// end(id): SIGKILL for every process of it
Napi::Value EndChild(const Napi::CallbackInfo& info) {
  if (Known(info) != nullptr) Environment::Of(info.Env())->watch().End(Count(info[0]));
  return Number(info, 0);
}

// setRef(id, ref)
Napi::Value SetRef(const Napi::CallbackInfo& info) {
  if (Known(info) != nullptr) Environment::Of(info.Env())->watch().SetRef(Count(info[0]), Truth(info[1]));
  return Number(info, 0);
}

// handedNamespace(id, place) -> a descriptor of it
Napi::Value HandedNamespace(const Napi::CallbackInfo& info) {
  const Child* child = Known(info);
  if (child == nullptr) return Number(info, -ESRCH);
  const int handed = child->handed(Count(info[1]));
  // It sends all that there are. What we had no number for is lost.
  if (handed < 0) return Number(info, -EMFILE);
  const int copy = fcntl(handed, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return Number(info, -errno);
  Lent::Of(info.Env())->Add(copy);
  return Number(info, copy);
}

// handedTerminal(id, numbers: Int32Array, lowest) -> 0: [our end, ours once more]
Napi::Value HandedTerminal(const Napi::CallbackInfo& info) {
  Child* child = Known(info);
  if (child == nullptr) return Number(info, -ESRCH);
  // It has sent one. What we had no number for is lost.
  const Descriptor handed = child->TakeTerminal();
  auto* numbers = Elements<int32_t>(info[1]);
  numbers[1] = SYS_recvmsg;
  if (!handed.open()) return Number(info, -EMFILE);
  numbers[1] = SYS_fcntl;
  Descriptor ends[2];
  for (Descriptor& end : ends) {
    end = Descriptor(fcntl(handed.number(), F_DUPFD_CLOEXEC, Integer(info[2])));
    if (!end.open()) return Number(info, -errno);
  }
  for (int i = 0; i < 2; i++) {
    Lent::Of(info.Env())->Add(ends[i].number());
    numbers[i] = ends[i].Release();
  }
  return Number(info, 0);
}

// holdForeground(id, terminal) -> 0
Napi::Value HoldForeground(const Napi::CallbackInfo& info) {
  Child* child = Known(info);
  return Number(info, child == nullptr ? -ESRCH : -child->HoldForeground(Integer(info[1])));
}

// giveForeground(id) -> 0
Napi::Value GiveForeground(const Napi::CallbackInfo& info) {
  Child* child = Known(info);
  return Number(info, child == nullptr ? -ESRCH : -child->GiveForeground());
}

// watchForeground(id) -> whether it has, or is to have, one
Napi::Value WatchForeground(const Napi::CallbackInfo& info) {
  Child* child = Known(info);
  return Number(info, child != nullptr && child->WatchForeground() ? 1 : 0);
}

// result(id, slot) -> number
Napi::Value Result(const Napi::CallbackInfo& info) {
  const Child* child = Remembered(info);
  const uint32_t slot = Count(info[1]);
  if (child == nullptr || slot >= kResults) return Number(info, -ESRCH);
  return Number(info, static_cast<double>(child->result(slot)));
}

// bytes(id, offset, target) -> 0: what the child left in the data
Napi::Value Bytes(const Napi::CallbackInfo& info) {
  const Child* child = Remembered(info);
  size_t length = 0;
  void* target = nullptr;
  napi_get_typedarray_info(info.Env(), info[2], nullptr, &length, &target, nullptr, nullptr);
  const uint8_t* data = child == nullptr ? nullptr : child->data(Count(info[1]), length);
  if (data == nullptr) return Number(info, -ESRCH);
  memcpy(target, data, length);
  return Number(info, 0);
}

// explanation(id, target) -> how much of it what the kernel has said of a failure fills
Napi::Value Explanation(const Napi::CallbackInfo& info) {
  const Child* child = Remembered(info);
  if (child == nullptr) return Number(info, -ESRCH);
  size_t room = 0;
  void* target = nullptr;
  napi_get_typedarray_info(info.Env(), info[1], nullptr, &room, &target, nullptr, nullptr);
  return Number(info, static_cast<double>(child->explanation().copy(static_cast<char*>(target), room)));
}

#ifdef NSCLONE_FAULTS
// setFault(instruction, errno): the next child fails there; what is no errno is told in loop/format.h.
Napi::Value SetFault(const Napi::CallbackInfo& info) {
  next_fault = {Count(info[0]) + 1, Integer(info[1])};
  return Number(info, 0);
}
#endif

}  // namespace

void ExportChildren(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "open", Entry<Open>);
  Export(env, exports, "prepare", Entry<Prepare>);
  Export(env, exports, "launch", Entry<Launch>);
  Export(env, exports, "launchInPlace", Entry<LaunchHere>);
  Export(env, exports, "perform", Entry<PerformHere>);
  Export(env, exports, "go", Entry<Go>);
  Export(env, exports, "kill", Entry<Kill>);
  Export(env, exports, "killTree", Entry<KillTree>);
  Export(env, exports, "holdTree", Entry<HoldTree>);
  Export(env, exports, "look", Entry<LookAt>);
  Export(env, exports, "end", Entry<EndChild>);
  Export(env, exports, "setRef", Entry<SetRef>);
  Export(env, exports, "handedNamespace", Entry<HandedNamespace>);
  Export(env, exports, "handedTerminal", Entry<HandedTerminal>);
  Export(env, exports, "holdForeground", Entry<HoldForeground>);
  Export(env, exports, "giveForeground", Entry<GiveForeground>);
  Export(env, exports, "watchForeground", Entry<WatchForeground>);
  Export(env, exports, "result", Entry<Result>);
  Export(env, exports, "bytes", Entry<Bytes>);
  Export(env, exports, "explanation", Entry<Explanation>);
#ifdef NSCLONE_FAULTS
  next_fault = {};
  Export(env, exports, "setFault", Entry<SetFault>);
#endif
}

}  // namespace nsclone

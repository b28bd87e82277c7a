// Descriptors that JavaScript keeps: made, probed and closed here, as fs.closeSync() of a foreign one warns in a
// Worker.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "binding/calls.h"
#include "binding/environment.h"
#include "binding/lent.h"
#include "launch/descriptor.h"
#include "launch/result.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

namespace nsclone {
namespace {

enum class Ends : int32_t { kChildReads = 0, kChildWrites = 1, kSocket = 2, kChannel = 3 };

struct Pair {
  Descriptor child;
  Descriptor ours;
};

// libuv never closes a stream on 0, 1 or 2, and the child's end must not lie where the program's own stdio goes.
Errno MoveUp(Descriptor* descriptor, int lowest) {
  *descriptor = Above(std::move(*descriptor), lowest);
  return descriptor->open() ? Errno{} : Errno::Last(SYS_fcntl);
}

// A descriptor that is sent to us is closed by whoever reads the bytes that came with it, and the close of a connection
// with SO_LINGER waits for as long as the sender says, which is our event loop's time. Since Linux 6.16 its sender can
// be refused; before that there is no such option.
void RefuseDescriptors(const Descriptor& end) {
  const int off = 0;
  setsockopt(end.number(), SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

Errno OpenPair(Ends ends, int lowest, Pair* pair) {
  int both[2];
  const bool socket = ends == Ends::kSocket || ends == Ends::kChannel;
  const int failed = socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) : pipe2(both, O_CLOEXEC);
  if (failed != 0) return Errno::Last(socket ? SYS_socketpair : SYS_pipe2);
  const bool reads = ends == Ends::kChildReads;
  pair->child = Descriptor(both[reads ? 0 : 1]);
  pair->ours = Descriptor(both[reads ? 1 : 0]);
  if (ends == Ends::kChannel) RefuseDescriptors(pair->ours);
  if (const Errno error = MoveUp(&pair->child, lowest)) return error;
  return MoveUp(&pair->ours, lowest);
}

// openPairs(kinds: Int32Array, count, numbers: Int32Array, lowest) -> 0: [child's end, ours] of each; all or none: then
// [which of them, number of the system call].
Napi::Value OpenPairs(const Napi::CallbackInfo& info) {
  const auto kinds = info[0].As<Napi::Int32Array>();
  auto numbers = info[2].As<Napi::Int32Array>();
  const uint32_t count = info[1].As<Napi::Number>().Uint32Value();
  const int lowest = info[3].As<Napi::Number>().Int32Value();
  std::vector<Pair> pairs(count);
  for (uint32_t i = 0; i < count; i++) {
    if (const Errno error = OpenPair(static_cast<Ends>(kinds[i]), lowest, &pairs[i])) {
      numbers[size_t{0}] = static_cast<int32_t>(i);
      numbers[size_t{1}] = error.call;
      return Napi::Number::New(info.Env(), -error.value);
    }
  }
  Lent* lent = Lent::Of(info.Env());
  for (uint32_t i = 0; i < count; i++) {
    lent->Add(pairs[i].child.number());
    lent->Add(pairs[i].ours.number());
    numbers[size_t{i} * 2] = pairs[i].child.Release();
    numbers[size_t{i} * 2 + 1] = pairs[i].ours.Release();
  }
  return Napi::Number::New(info.Env(), 0);
}

// close(descriptor) -> 0
Napi::Value Close(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  Lent::Of(info.Env())->Remove(descriptor);
  return Answer(info, close(descriptor));
}

// give(descriptor) -> 0: a stream of the runtime's has it now, which closes it, at the latest at the end of the Worker.
// Then the number, and the index of a terminal, may be those of somebody else's.
Napi::Value Give(const Napi::CallbackInfo& info) {
  Lent::Of(info.Env())->Remove(info[0].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), 0);
}

// firstClosed(descriptors: Int32Array, count) -> index, or -1 where all are open
Napi::Value FirstClosed(const Napi::CallbackInfo& info) {
  const auto descriptors = info[0].As<Napi::Int32Array>();
  const uint32_t count = info[1].As<Napi::Number>().Uint32Value();
  uint32_t index = 0;
  while (index < count && fcntl(descriptors[index], F_GETFD) >= 0) index++;
  return Napi::Number::New(info.Env(), index == count ? -1 : static_cast<double>(index));
}

// atEnd(descriptor) -> boolean: nothing is left in this pipe and nobody writes to it any more.
Napi::Value AtEnd(const Napi::CallbackInfo& info) {
  // A read end that we have not made a stream of is blocking: asked by poll, never by read.
  pollfd poll_on = {info[0].As<Napi::Number>().Int32Value(), POLLIN, 0};
  const bool quiet = poll(&poll_on, 1, 0) == 1 && (poll_on.revents & POLLIN) == 0 && (poll_on.revents & POLLHUP) != 0;
  return Napi::Boolean::New(info.Env(), quiet);
}

// isWritable(descriptor) -> boolean: a write of a byte does not wait.
Napi::Value IsWritable(const Napi::CallbackInfo& info) {
  pollfd poll_on = {info[0].As<Napi::Number>().Int32Value(), POLLOUT, 0};
  return Napi::Boolean::New(info.Env(), poll(&poll_on, 1, 0) == 1);
}

// await(descriptor, reads, writes, ref) -> 0: tells the listener once when the descriptor can be read or written; with
// neither, not any more.
Napi::Value Await(const Napi::CallbackInfo& info) {
  Environment* environment = Environment::Of(info.Env());
  if (environment == nullptr) return Napi::Number::New(info.Env(), -ESHUTDOWN);
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  const uint32_t events = (Truth(info[1]) ? uint32_t{EPOLLIN} : 0) | (Truth(info[2]) ? uint32_t{EPOLLOUT} : 0);
  const Errno error = environment->watch().Await(descriptor, events, Truth(info[3]));
  return Napi::Number::New(info.Env(), -error.value);
}

// identify(descriptor, into: BigUint64Array) -> 0: device, inode, mode, and the flags that it was opened with
Napi::Value IdentifyFile(const Napi::CallbackInfo& info) {
  struct stat about = {};
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  // glibc has a function of that name since 2.33 only; its struct is the kernel's on both architectures.
  const int64_t result = syscall(SYS_fstat, descriptor, &about);
  auto into = info[1].As<Napi::BigUint64Array>();
  if (result != 0) return Answer(info, result);
  into[size_t{0}] = about.st_dev;
  into[size_t{1}] = about.st_ino;
  into[size_t{2}] = about.st_mode;
  into[size_t{3}] = static_cast<uint64_t>(fcntl(descriptor, F_GETFL));
  return Napi::Number::New(info.Env(), 0);
}

// fileSystem(descriptor) -> the type of the file system that it is on
Napi::Value FileSystem(const Napi::CallbackInfo& info) {
  struct statfs about = {};
  const int64_t result = fstatfs(info[0].As<Napi::Number>().Int32Value(), &about);
  if (result != 0) return Answer(info, result);
  return Napi::Number::New(info.Env(), static_cast<double>(about.f_type));
}

// setNonBlocking(descriptor) -> 0
Napi::Value SetNonBlocking(const Napi::CallbackInfo& info) {
  int on = 1;
  return Answer(info, ioctl(info[0].As<Napi::Number>().Int32Value(), FIONBIO, &on));
}

// read(descriptor, into: Uint8Array) -> how much, 0 at its end; never EINTR
Napi::Value Read(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  auto into = info[1].As<Napi::Uint8Array>();
  ssize_t size = 0;
  do {
    size = read(descriptor, into.Data(), into.ByteLength());
  } while (size < 0 && errno == EINTR);
  return Answer(info, size);
}

// write(descriptor, from: Uint8Array, offset) -> how much; never EINTR
Napi::Value Write(const Napi::CallbackInfo& info) {
  const int descriptor = info[0].As<Napi::Number>().Int32Value();
  const auto from = info[1].As<Napi::Uint8Array>();
  const size_t offset = info[2].As<Napi::Number>().Uint32Value();
  ssize_t size = 0;
  do {
    size = write(descriptor, from.Data() + offset, from.ByteLength() - offset);
  } while (size < 0 && errno == EINTR);
  return Answer(info, size);
}

// shutdown(descriptor) -> 0: of a socket, the half that we write to
Napi::Value Shutdown(const Napi::CallbackInfo& info) {
  return Answer(info, shutdown(info[0].As<Napi::Number>().Int32Value(), SHUT_WR));
}

// openPty(columns, rows, numbers: Int32Array, lowest) -> 0: [the child's end, ours, ours once more]
Napi::Value OpenPty(const Napi::CallbackInfo& info) {
  const auto number = [&](size_t index) { return info[index].As<Napi::Number>().Int32Value(); };
  auto numbers = info[2].As<Napi::Int32Array>();
  Pair pair;
  // Non-blocking from the start: a write to a program that does not read must not keep a thread of the pool.
  pair.ours = Descriptor(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  const auto failed = [&](int call) {
    const int error = errno;
    numbers[size_t{1}] = call;
    return Napi::Number::New(info.Env(), -error);
  };
  if (!pair.ours.open()) return failed(SYS_openat);
  const int unlocked = 0;
  if (ioctl(pair.ours.number(), TIOCSPTLCK, &unlocked) != 0) return failed(SYS_ioctl);
  // By descriptor: the path may name another terminal in the mount namespace that we are in.
  pair.child = Descriptor(ioctl(pair.ours.number(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.child.open()) return failed(SYS_ioctl);
  winsize size = {};
  size.ws_col = static_cast<unsigned short>(number(0));
  size.ws_row = static_cast<unsigned short>(number(1));
  if (ioctl(pair.ours.number(), TIOCSWINSZ, &size) != 0) return failed(SYS_ioctl);
  if (MoveUp(&pair.child, number(3)) || MoveUp(&pair.ours, number(3))) return failed(SYS_fcntl);
  Descriptor keeper(fcntl(pair.ours.number(), F_DUPFD_CLOEXEC, number(3)));
  if (!keeper.open()) return failed(SYS_fcntl);
  for (const Descriptor* end : {&pair.child, &pair.ours, &keeper}) Lent::Of(info.Env())->Add(end->number());
  numbers[size_t{2}] = keeper.Release();
  numbers[size_t{0}] = pair.child.Release();
  numbers[size_t{1}] = pair.ours.Release();
  return Napi::Number::New(info.Env(), 0);
}

// resizePty(descriptor, columns, rows) -> 0
Napi::Value ResizePty(const Napi::CallbackInfo& info) {
  const auto number = [&](size_t index) { return info[index].As<Napi::Number>().Int32Value(); };
  winsize size = {};
  size.ws_col = static_cast<unsigned short>(number(1));
  size.ws_row = static_cast<unsigned short>(number(2));
  const int result = ioctl(number(0), TIOCSWINSZ, &size);
  return Napi::Number::New(info.Env(), result == 0 ? 0 : -errno);
}

}  // namespace

void ExportDescriptors(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "openPairs", Entry<OpenPairs>);
  Export(env, exports, "close", Entry<Close>);
  Export(env, exports, "give", Entry<Give>);
  Export(env, exports, "firstClosed", Entry<FirstClosed>);
  Export(env, exports, "isWritable", Entry<IsWritable>);
  Export(env, exports, "await", Entry<Await>);
  Export(env, exports, "identify", Entry<IdentifyFile>);
  Export(env, exports, "fileSystem", Entry<FileSystem>);
  Export(env, exports, "setNonBlocking", Entry<SetNonBlocking>);
  Export(env, exports, "read", Entry<Read>);
  Export(env, exports, "write", Entry<Write>);
  Export(env, exports, "shutdown", Entry<Shutdown>);
  Export(env, exports, "openPty", Entry<OpenPty>);
  Export(env, exports, "resizePty", Entry<ResizePty>);
  Export(env, exports, "atEnd", Entry<AtEnd>);
}

}  // namespace nsclone

// libuv polls the epoll set with its own.
#include <uv.h>

#include <cerrno>
#include <memory>

#include "binding/wakers.h"

// A runtime without libuv that has not even its symbols loads the addon all the same.
#pragma weak uv_poll_init
#pragma weak uv_poll_start
#pragma weak uv_ref
#pragma weak uv_unref
#pragma weak uv_close

namespace nsclone {
namespace {

class PollWaker final : public Waker {
 public:
  explicit PollWaker(Wakeable* wakeable) : wakeable_(wakeable) {}

  Errno Open(uv_loop_t* loop, int epoll) {
    if (const int error = uv_poll_init(loop, &poll_, epoll); error != 0) return {-error};
    poll_.data = this;
    uv_unref(handle());
    return {};
  }

  Errno Start() {
    return {-uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
      static_cast<PollWaker*>(poll->data)->wakeable_->WakeUp();
    })};
  }

  void SetRef(bool ref) override { ref ? uv_ref(handle()) : uv_unref(handle()); }

  void Close(void (*closed)(void*), void* data) override {
    closed_ = closed;
    closed_data_ = data;
    uv_close(handle(), [](uv_handle_t* handle) {
      const std::unique_ptr<PollWaker> waker(static_cast<PollWaker*>(handle->data));
      waker->closed_(waker->closed_data_);
    });
  }

 private:
  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&poll_); }

  Wakeable* wakeable_;
  uv_poll_t poll_;
  void (*closed_)(void*) = nullptr;
  void* closed_data_ = nullptr;
};

}  // namespace

Errno OpenPollWaker(napi_env env, int epoll, Wakeable* wakeable, Waker** waker) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return {ENOSYS};
  auto made = std::make_unique<PollWaker>(wakeable);
  if (const Errno error = made->Open(loop, epoll)) return error;
  PollWaker* const opened = made.release();  // from here on it is closed, and ends with that
  if (const Errno error = opened->Start()) {
    opened->Close([](void*) {}, nullptr);
    return error;
  }
  *waker = opened;
  return {};
}

}  // namespace nsclone

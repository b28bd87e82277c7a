// The two ways to be woken.
#ifndef NSCLONE_BINDING_WAKERS_H_
#define NSCLONE_BINDING_WAKERS_H_

#include <node_api.h>

#include "watch/waker.h"

namespace nsclone {

// By libuv, where the event loop is one of libuv's: in Node.
Errno OpenPollWaker(napi_env env, int epoll, Wakeable* wakeable, Waker** waker);

// By a thread of ours and what Node-API has for threads: in every runtime. Makes no call of libuv's.
Errno OpenThreadWaker(napi_env env, int epoll, Wakeable* wakeable, Waker** waker);

}  // namespace nsclone

#endif  // NSCLONE_BINDING_WAKERS_H_

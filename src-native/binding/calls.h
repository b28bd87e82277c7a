// The functions that JavaScript sees, each in the file of its topic. They return a value, or -errno: errors are made in
// TypeScript, where `instanceof Error` holds in the caller's realm.
#ifndef NSCLONE_BINDING_CALLS_H_
#define NSCLONE_BINDING_CALLS_H_

#include <napi.h>

#include <cerrno>
#include <cstdint>

namespace nsclone {

// While worker.terminate() is under way, calls of N-API that may run JavaScript fail, and the wrappers of
// node-addon-api turn such a failure into an abort of the whole process. So functions are exported, and booleans read,
// by raw calls.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
napi_value Entry(napi_env env, napi_callback_info info) {
  return function(Napi::CallbackInfo(env, info));
}

inline void Export(napi_env env, napi_value exports, const char* name, napi_callback entry) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, entry, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

inline Napi::Value Number(const Napi::CallbackInfo& info, double value) { return Napi::Number::New(info.Env(), value); }

// Of a function of the C library: what it returned, or -errno.
inline Napi::Value Answer(const Napi::CallbackInfo& info, int64_t result) {
  return Number(info, static_cast<double>(result < 0 ? -errno : result));
}

inline bool Truth(const Napi::Value& value) {
  bool truth = false;
  napi_get_value_bool(value.Env(), value, &truth);
  return truth;
}

void ExportChildren(Napi::Env env, Napi::Object exports);
void ExportDescriptors(Napi::Env env, Napi::Object exports);
void ExportNamespaces(Napi::Env env, Napi::Object exports);
void ExportNsfs(Napi::Env env, Napi::Object exports);
void ExportThreads(Napi::Env env, Napi::Object exports);

}  // namespace nsclone

#endif  // NSCLONE_BINDING_CALLS_H_

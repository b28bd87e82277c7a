// The addon's entry: wires the topics together. Context-aware: every environment that loads it gets its own.
#include "binding/calls.h"
#include "binding/instance.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* instance = new nsclone::Instance;
  const auto free = [](napi_env, void* data, void*) { delete static_cast<nsclone::Instance*>(data); };
  napi_set_instance_data(env, instance, free, nullptr);
  // The first to be added is the last to be called.
  napi_add_env_cleanup_hook(env, [](void* data) { static_cast<nsclone::Instance*>(data)->lent.CloseAll(); }, instance);
  nsclone::ExportChildren(env, exports);
  nsclone::ExportDescriptors(env, exports);
  nsclone::ExportNamespaces(env, exports);
  nsclone::ExportNsfs(env, exports);
  nsclone::ExportThreads(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(nsclone, Init)

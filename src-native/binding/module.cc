// The addon's entry: wires the topics together. Context-aware: every environment that loads it gets its own.
#include "binding/calls.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  nsclone::ExportChildren(env, exports);
  nsclone::ExportDescriptors(env, exports);
  nsclone::ExportNamespaces(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(nsclone, Init)

// The functions that JavaScript sees, each in the file of its topic. They return a value, or -errno: errors are made in
// TypeScript, where `instanceof Error` holds in the caller's realm.
#ifndef NSCLONE_BINDING_CALLS_H_
#define NSCLONE_BINDING_CALLS_H_

#include <napi.h>

namespace nsclone {

void ExportChildren(Napi::Env env, Napi::Object exports);
void ExportDescriptors(Napi::Env env, Napi::Object exports);
void ExportNamespaces(Napi::Env env, Napi::Object exports);

}  // namespace nsclone

#endif  // NSCLONE_BINDING_CALLS_H_

// The descriptors that JavaScript has to close.
#ifndef NSCLONE_BINDING_LENT_H_
#define NSCLONE_BINDING_LENT_H_

#include <node_api.h>

#include <cstdint>
#include <unordered_map>

namespace nsclone {

// The JavaScript thread that is the process's first one is no Worker's.
bool OnMainThread();

// Which open file a number stands for. All masters of terminals share an inode; they have a number.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int terminal = -1;

  bool operator==(const FileIdentity&) const = default;
};

// Of one environment. At the end of a Worker, which may come between an open and the close of it, they are closed.
class Lent {
 public:
  static Lent* Of(napi_env env);

  void Add(int descriptor);
  // It is about to be closed, or somebody else's to close.
  void Remove(int descriptor) { descriptors_.erase(descriptor); }
  // Somebody may have closed one that was ours to close, and its number be another file's.
  void CloseAll();

 private:
  // With that all descriptors end: none is noted.
  const bool main_thread_ = OnMainThread();
  std::unordered_map<int, FileIdentity> descriptors_;
};

}  // namespace nsclone

#endif  // NSCLONE_BINDING_LENT_H_

// Where the calling thread is, and the way back there from other namespaces.
#ifndef NSCLONE_LAUNCH_HOME_H_
#define NSCLONE_LAUNCH_HOME_H_

#include <cstddef>

#include "launch/descriptor.h"
#include "launch/result.h"

namespace nsclone {

// Whether the files that this thread sees are those that the process was started with, as far as it was we who have
// moved it or the thread that it was born of. In a container's the C library would load the libraries that its
// nsswitch.conf names (the class of CVE-2019-14271).
bool SeesOwnFiles();

// Before a thread goes into another mount namespace.
void NoteOwnFiles();

// What setns(2) takes: a namespace of one kind, or a process, whose namespaces of these kinds are entered at once.
struct Target {
  int descriptor = -1;
  int kinds = 0;
};

// The namespaces that a thread is in, held open.
class Home {
 public:
  static constexpr size_t kKinds = 6;

  // Opens those of these kinds; with a mount namespace the root and the working directory, which joining one resets.
  Errno Open(int kinds);
  // The kernel lets us in where we are: so it will let us in again.
  Errno Prove(int kinds, const char* caller) const;
  // Back into those of these kinds. Where that is refused the process is aborted: it would go on in the wrong place.
  void Return(int kinds, const char* caller) const;

 private:
  void ReturnToFolders(const char* caller) const;

  Descriptor spaces_[kKinds];
  Descriptor root_;
  Descriptor working_directory_;
};

// Which of several targets was refused.
struct Refusal {
  Errno error;
  size_t target = 0;
};

// Enters them in order, up to one that is refused. `*entered` gets the kinds of those that were.
Refusal EnterUpTo(const Target* targets, size_t count, int* entered);

// Enters all of them, in order, or none.
Refusal Enter(const Target* targets, size_t count, const char* caller);

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_HOME_H_

// The /proc of our own pid namespace, by descriptor.
#ifndef NSCLONE_LAUNCH_PROC_H_
#define NSCLONE_LAUNCH_PROC_H_

namespace nsclone {

enum class Proc {
  kNone,    // what lies at /proc is not procfs, or there is nothing
  kOthers,  // procfs of another pid namespace: our numbers are other processes there, but `self` is who asks
  kOurs,
};

// What `/proc` is, once it was looked at; `*descriptor` (O_PATH) serves from then on, whatever is mounted there later.
Proc FindProc(int* descriptor);

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_PROC_H_

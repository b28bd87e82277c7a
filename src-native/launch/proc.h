// The /proc of our own pid namespace, by descriptor.
#ifndef NSCLONE_LAUNCH_PROC_H_
#define NSCLONE_LAUNCH_PROC_H_

namespace nsclone {

enum class Proc {
  kNone,    // what lies at /proc is not procfs, or there is nothing, or nobody could look
  kOthers,  // procfs of another pid namespace: our numbers are other processes there, but `self` is who asks
  kOurs,
};

// What `/proc` is, once it was looked at; `*descriptor` (O_PATH) serves from then on, whatever is mounted there later.
// Where there is none it is -errno: of what is missing, or of why nobody could look.
Proc FindProc(int* descriptor);

}  // namespace nsclone

#endif  // NSCLONE_LAUNCH_PROC_H_

// The stub as pid 1 of a pid namespace.
#ifndef NSCLONE_STUB_INIT_H_
#define NSCLONE_STUB_INIT_H_

#include "loop/loop.h"

namespace nsclone {

// Lets go of every descriptor but those that it is told to keep, forwards signals, reaps orphans, and ends when the
// program has, or the last process; with the program's status in the report.
[[noreturn]] void BePidOne(const Stay& stay, Report* report);

}  // namespace nsclone

#endif  // NSCLONE_STUB_INIT_H_

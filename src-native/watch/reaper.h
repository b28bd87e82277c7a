// Children whose environment is gone: a process-wide list, reaped at every clone and wake-up of any environment.
#ifndef NSCLONE_WATCH_REAPER_H_
#define NSCLONE_WATCH_REAPER_H_

#include <cstddef>
#include <memory>

#include "watch/child.h"

namespace nsclone {

void Adopt(std::unique_ptr<Child> child);
// Returns how many of them are killed and not gone yet.
size_t ReapAdopted();

}  // namespace nsclone

#endif  // NSCLONE_WATCH_REAPER_H_

// Children whose environment is gone: a process-wide list, reaped at every clone and wake-up of any environment.
#ifndef NSCLONE_WATCH_REAPER_H_
#define NSCLONE_WATCH_REAPER_H_

#include <memory>

#include "watch/child.h"

namespace nsclone {

void Adopt(std::unique_ptr<Child> child);
void ReapAdopted();

}  // namespace nsclone

#endif  // NSCLONE_WATCH_REAPER_H_

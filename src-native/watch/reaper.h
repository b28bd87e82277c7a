// Children whose environment is gone: a process-wide list, reaped at every clone and by the wake-up of any environment.
#ifndef NSCLONE_WATCH_REAPER_H_
#define NSCLONE_WATCH_REAPER_H_

#include <memory>

#include "launch/result.h"
#include "watch/child.h"

namespace nsclone {

// An epoll descriptor that has an event when there is something to reap. It belongs to the process.
Errno AdoptedEvents(int* descriptor);
void Adopt(std::unique_ptr<Child> child);
// Looks at those that there is something to be seen of.
void ReapAdopted();
// Whether one is killed and not gone yet.
bool AnyAdoptedDying();

}  // namespace nsclone

#endif  // NSCLONE_WATCH_REAPER_H_

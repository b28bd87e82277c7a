// The cgroups that are children's own, each with where this process was when it was taken.
#ifndef NSCLONE_WATCH_TAKEN_H_
#define NSCLONE_WATCH_TAKEN_H_

namespace nsclone {

// Takes a cgroup, so that no other child of this process takes it for its own. EBUSY where one has, ENOTEMPTY where
// there are processes in it. `events` is -1 in version 1.
int TakeCgroup(int folder, int events);
void LeaveCgroup(int folder);

// Whether this process is where it was when the cgroup was taken, which it then was not in; false where that cannot be
// told.
bool IsWhereWhenTaken(int folder);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_TAKEN_H_

// The processes in a cgroup and in those below it.
#ifndef NSCLONE_WATCH_MEMBERS_H_
#define NSCLONE_WATCH_MEMBERS_H_

#include <sys/types.h>

#include <set>

namespace nsclone {

struct Members {
  std::set<pid_t> pids;
  // Why not all of them are known: an errno, EMFILE for one.
  int error = 0;
};

// Those in a cgroup alone, beside those that are known already.
void AddMembers(int folder, Members* members);

// Those in a cgroup and in all below it.
Members MembersOf(int folder);

// Sends a signal to every member but us and those that were sent one, and tells whether one could not be sent: an
// errno.
int SignalMembers(int folder, int signal, std::set<pid_t>* signalled, int* sent);

// By cgroup.events: neither in it nor below it is a process, of whatever pid namespace.
bool IsVacant(int events);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_MEMBERS_H_

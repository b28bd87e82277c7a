#include "watch/taken.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "launch/proc.h"
#include "watch/files.h"
#include "watch/members.h"
#include "watch/process.h"

namespace nsclone {
namespace {

// In which cgroups this process is, in the words of the kernel, and in the view of which cgroup namespace.
using Place = std::pair<Identity, std::string>;

struct Taken {
  std::mutex mutex;
  // Each with where we were when it was taken.
  std::map<Identity, Place> folders;
};

// Never destroyed: the last Worker may end while the process exits.
Taken& AllTaken() {
  static Taken* const taken = new Taken;
  return *taken;
}

// Without a text where it cannot be told.
Place OwnPlace() {
  int proc = -1;
  if (FindProc(&proc) == Proc::kNone) return {};
  const Descriptor view(openat(proc, "thread-self/ns/cgroup", O_RDONLY | O_CLOEXEC));
  const Descriptor cgroups(openat(proc, "self/cgroup", O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!view.open() || !cgroups.open() || ReadAll(cgroups.number(), &text) != 0) return {};
  return {IdentityOf(view.number()), std::move(text)};
}

}  // namespace

int TakeCgroup(int folder, int events) {
  Taken& taken = AllTaken();
  const std::lock_guard lock(taken.mutex);
  const Identity identity = IdentityOf(folder);
  if (taken.folders.count(identity) != 0) return EBUSY;
  // Before and after it is seen that nobody is in it, us included: who is moved meanwhile has no place that counts.
  Place place = OwnPlace();
  Members members;
  // A threaded one of version 2 neither tells who is in it nor ends as a whole: EOPNOTSUPP.
  if (events >= 0)
    AddMembers(folder, &members);
  else
    members = MembersOf(folder);
  if (members.error != 0) return members.error;
  if (events >= 0 ? !IsVacant(events) : !members.pids.empty()) return ENOTEMPTY;
  if (OwnPlace() != place) place = {};
  taken.folders.emplace(identity, std::move(place));
  return 0;
}

void LeaveCgroup(int folder) {
  Taken& taken = AllTaken();
  const std::lock_guard lock(taken.mutex);
  taken.folders.erase(IdentityOf(folder));
}

bool IsWhereWhenTaken(int folder) {
  const Place now = OwnPlace();
  Taken& taken = AllTaken();
  const std::lock_guard lock(taken.mutex);
  const auto found = taken.folders.find(IdentityOf(folder));
  return found != taken.folders.end() && !now.second.empty() && now == found->second;
}

}  // namespace nsclone

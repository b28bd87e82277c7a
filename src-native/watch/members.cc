#include "watch/members.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "watch/files.h"
#include "watch/process.h"

namespace nsclone {
namespace {

// How often members are looked for that have come since.
constexpr int kMostPasses = 8;

// A cgroup that was removed has none.
bool IsGone(int error) { return error == ENOENT || error == ENODEV; }

// A cgroup on the way down, and those right below it that are still to be looked into.
struct Level {
  Identity identity;
  std::vector<std::string> names;
};

// Looks at a cgroup.
Level LookInto(int folder, Members* members) {
  Level level = {IdentityOf(folder), {}};
  DIR* const all = OpenFolder(folder);
  if (all == nullptr) {
    if (!IsGone(errno)) members->error = errno;
    return level;
  }
  while (const dirent* const entry = readdir(all)) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") level.names.emplace_back(name);
  }
  closedir(all);
  return level;
}

}  // namespace

void AddMembers(int folder, Members* members) {
  const Descriptor procs(openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC));
  if (!procs.open()) {
    if (!IsGone(errno)) members->error = errno;
    return;
  }
  std::string text;
  if (const int error = ReadAll(procs.number(), &text); error != 0 && !IsGone(error)) members->error = error;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    const long pid = strtol(at, &end, 10);
    if (end == at) break;
    // 0 is one of another pid namespace, which has no number here.
    if (pid > 0) members->pids.insert(static_cast<pid_t>(pid));
    at = *end == '\n' ? end + 1 : end;
  }
}

// However deep somebody has made one below the other, few descriptors are open for it: the way back leads over "..",
// which is looked at, too.
Members MembersOf(int folder) {
  Members members;
  AddMembers(folder, &members);
  std::vector<Level> levels = {LookInto(folder, &members)};
  int at = folder;
  Descriptor deeper;
  while (!levels.empty()) {
    std::vector<std::string>& names = levels.back().names;
    if (names.empty()) {
      levels.pop_back();
      if (levels.size() < 2) {
        at = folder;
        continue;
      }
      Descriptor above(openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!above.open() || IdentityOf(above.number()) != levels.back().identity) {
        members.error = above.open() ? ESTALE : errno;
        break;
      }
      deeper = std::move(above);
      at = deeper.number();
      continue;
    }
    Descriptor below(openat(at, names.back().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    names.pop_back();
    if (!below.open()) {
      if (!IsGone(errno)) members.error = errno;
      continue;
    }
    // Of a threaded one its domain tells, which is above it.
    Members here;
    AddMembers(below.number(), &here);
    members.pids.merge(here.pids);
    if (here.error != 0 && here.error != EOPNOTSUPP) members.error = here.error;
    levels.push_back(LookInto(below.number(), &members));
    deeper = std::move(below);
    at = deeper.number();
  }
  return members;
}

// A number that was read may be a stranger's a moment later. So each process is opened first, and signalled if the
// number is still in the cgroup then: either it is that process, or the one that was opened has ended.
int SignalMembers(int folder, int signal, std::set<pid_t>* signalled, int* sent) {
  int error = 0;
  for (int pass = 0; pass < kMostPasses; pass++) {
    std::vector<std::pair<pid_t, Descriptor>> opened;
    const Members members = MembersOf(folder);
    if (members.error != 0) error = members.error;
    for (const pid_t pid : members.pids) {
      if (signalled->count(pid) != 0 || pid == getpid()) continue;
      Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
      if (pidfd.open())
        opened.emplace_back(pid, std::move(pidfd));
      else if (errno != ESRCH)
        error = errno;
    }
    if (opened.empty()) break;
    const std::set<pid_t> still = MembersOf(folder).pids;
    for (const auto& [pid, pidfd] : opened) {
      if (still.count(pid) == 0) continue;
      signalled->insert(pid);
      if (syscall(SYS_pidfd_send_signal, pidfd.number(), signal, nullptr, 0) == 0)
        (*sent)++;
      else if (errno != ESRCH)
        error = errno;
    }
  }
  return error;
}

bool IsVacant(int events) {
  char text[256];
  const ssize_t length = pread(events, text, sizeof(text), 0);
  if (length < 0) return IsGone(errno);
  return std::string_view(text, length).find("populated 0") != std::string_view::npos;
}

}  // namespace nsclone

// A hostile root that looks into a process: its files below /proc/PID, its memory, its descriptors, as a tracer.
//
//   look-into PID          says of each way 'reached' or the errno that refused it, as JSON
//   look-into hunt         catches what is executed from a memory file and has been born last, until a line can be read
//                          from stdin; says how often, as JSON
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int told;

static void tell(const char* way, long result) {
  const char* answer = result >= 0 || errno == EFAULT ? "reached"
                       : errno == EPERM               ? "EPERM"
                       : errno == EACCES              ? "EACCES"
                                                      : strerror(errno);
  printf("%s\"%s\":\"%s\"", told++ == 0 ? "{" : ",", way, answer);
}

static int opened(int pid, const char* name, int flags) {
  char path[320];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
  const int file = open(path, flags | O_CLOEXEC | O_NONBLOCK);
  if (file >= 0) close(file);
  return file;
}

// What is in a folder: the check of map_files is in its reading, and the folder itself says nothing.
static int listed(int pid, const char* name) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
  DIR* folder = opendir(path);
  if (folder == NULL) return -1;
  int entries = 0;
  errno = EACCES;
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;) entries += entry->d_name[0] != '.';
  closedir(folder);
  if (entries == 0) errno = EACCES;
  return entries > 0 ? 0 : -1;
}

// Any of its descriptors. Their numbers alone are no secret: whoever owns the folder sees them.
static int any_descriptor(int pid) {
  int result = -1, problem = ENOENT;
  for (int number = 0; number < 64 && result < 0; number++) {
    char name[16], path[64], target[256];
    snprintf(name, sizeof(name), "fd/%d", number);
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    result = opened(pid, name, O_RDONLY | O_PATH);
    if (result < 0) result = (int)readlink(path, target, sizeof(target));
    if (result < 0 && errno != ENOENT) problem = errno;
  }
  errno = problem;
  return result;
}

static int traced(int pid) {
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) return -1;
  ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
  int status;
  waitpid(pid, &status, __WALL);
  return (int)ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static void look(int pid) {
  char path[64], name[16], target[256];
  for (const char* const* way =
           (const char* const[]){"exe", "cwd", "root", "maps", "smaps", "environ", "auxv", "ns/net", NULL};
       *way != NULL; way++) {
    tell(*way, opened(pid, *way, O_RDONLY));
  }
  tell("mem", opened(pid, "mem", O_RDWR));
  tell("map_files", listed(pid, "map_files"));
  // Where none is open there is nothing to reach.
  const int descriptor = any_descriptor(pid);
  if (descriptor >= 0 || errno != ENOENT) tell("fd", descriptor);
  for (const char* const* way = (const char* const[]){"exe", "cwd", "root", "ns/mnt", NULL}; *way != NULL; way++) {
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, *way);
    snprintf(name, sizeof(name), "link %s", *way);
    tell(name, readlink(path, target, sizeof(target)));
  }
  struct iovec here = {target, 1}, there = {(void*)4096, 1};
  tell("process_vm_readv", process_vm_readv(pid, &here, 1, &there, 1, 0));
  tell("process_vm_writev", process_vm_writev(pid, &here, 1, &there, 1, 0));
  const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  long got = -1;
  for (int number = 0; number < 64 && got < 0; number++) {
    got = syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (errno != EBADF) break;
  }
  if (got >= 0 || errno != EBADF) tell("pidfd_getfd", got);
  tell("ptrace", traced(pid));
  // Last: it takes us elsewhere.
  tell("setns", syscall(SYS_setns, pidfd, CLONE_NEWUTS));
  printf("}\n");
}

static int is_ours(int pid) {
  char path[64], target[256];
  snprintf(path, sizeof(path), "/proc/%d/exe", pid);
  const ssize_t length = readlink(path, target, sizeof(target) - 1);
  if (length <= 0) return 0;
  target[length] = '\0';
  return strstr(target, "memfd:") != NULL;
}

static int last_pid(void) {
  char text[128];
  const int file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  const ssize_t length = read(file, text, sizeof(text) - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = '\0';
  return atoi(strrchr(text, ' ') + 1);
}

static int hunt(void) {
  struct pollfd stop = {.fd = 0, .events = POLLIN};
  int last = 0, caught = 0;
  printf("ready\n");
  fflush(stdout);
  for (int round = 0;; round++) {
    if (round % 16 == 0) last = last_pid();
    for (int pid = last - 2; pid < last + 3; pid++) caught += pid > 0 && is_ours(pid);
    if (round % 256 == 0 && poll(&stop, 1, 0) != 0) break;
  }
  printf("{\"caught\":%d}\n", caught);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (strcmp(argv[1], "hunt") == 0) return hunt();
  look(atoi(argv[1]));
  return 0;
}

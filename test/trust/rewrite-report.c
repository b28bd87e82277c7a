// A hostile root that writes into the memory that our processes share with Node: whatever memory file another process
// of this pid namespace maps shared, by /proc/PID/mem and by ptrace(2). Ends with 7.
//
//   rewrite-report WORD VALUE MILLISECONDS
//
// WORD is the index of a 32-bit word in the page, or -1 for each of them. Says what it reached, or why not.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int written;
static char refusals[256];

static void refused(const char* what) {
  char text[48];
  snprintf(text, sizeof(text), "%s %s", what, errno == EPERM ? "EPERM" : errno == EACCES ? "EACCES" : strerror(errno));
  if (errno == ENOENT || errno == ESRCH || strstr(refusals, text) != NULL) return;
  if (strlen(refusals) + strlen(text) + 6 > sizeof(refusals)) return;
  if (refusals[0] != '\0') strcat(refusals, ", ");
  strcat(strcat(strcat(refusals, "\""), text), "\"");
}

static void by_mem(int pid, uint64_t at, const void* bytes, size_t length) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/mem", pid);
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    refused("mem");
    return;
  }
  if (pwrite(file, bytes, length, (off_t)at) == (ssize_t)length) written++;
  close(file);
}

static void by_ptrace(int pid, uint64_t at, const uint32_t* words, size_t length) {
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) {
    refused("ptrace");
    return;
  }
  ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
  int status;
  if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
    for (size_t i = 0; i < length / 4; i++) {
      // A word of ptrace(2) is a long: its other half stays what it is.
      const uint64_t address = at + 4 * i;
      errno = 0;
      uint64_t there = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, (void*)address, NULL);
      if (errno != 0) continue;
      there = (there & ~(uint64_t)0xffffffff) | words[i];
      if (ptrace(PTRACE_POKEDATA, pid, (void*)address, (void*)there) == 0) written++;
    }
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
  }
}

static void attack(int pid, int word, uint32_t value) {
  static uint32_t page[1023];
  char path[64], line[512];
  snprintf(path, sizeof(path), "/proc/%d/maps", pid);
  FILE* maps = fopen(path, "re");
  if (maps == NULL) {
    refused("maps");
    return;
  }
  for (size_t i = 0; i < sizeof(page) / 4; i++) page[i] = value;
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long long from, to;
    char mode[5];
    if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) != 3 || mode[3] != 's' || strstr(line, "memfd:") == NULL)
      continue;
    const uint64_t at = from + (word < 0 ? 0 : 4 * (uint64_t)word);
    const size_t length = word < 0 ? sizeof(page) : 4;
    by_mem(pid, at, page, length);
    by_ptrace(pid, at, page, length);
  }
  fclose(maps);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int word = atoi(argv[1]);
  const uint32_t value = (uint32_t)strtoul(argv[2], NULL, 10);
  struct timespec now, until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  const long long end = until.tv_sec * 1000LL + until.tv_nsec / 1000000 + atoi(argv[3]);
  do {
    DIR* proc = opendir("/proc");
    for (struct dirent* entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
      const int pid = atoi(entry->d_name);
      if (pid > 0 && pid != getpid()) attack(pid, word, value);
    }
    if (proc != NULL) closedir(proc);
    usleep(500);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec * 1000LL + now.tv_nsec / 1000000 < end);
  printf("{\"written\":%d,\"refusals\":[%s]}\n", written, refusals);
  return 7;
}

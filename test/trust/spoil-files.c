// A hostile root that spoils the files that a process is made of: its program, and every memory file that it maps.
//
//   spoil-files PID HOW SECONDS    HOW is one of write, truncate, chmod, acl, keep, busy
//
// With keep it goes on writing into what it has opened, for so long or until it is ended. With busy it keeps its program
// open for writing as soon as nobody executes that any more, and for two seconds. Says of each file 'done' or
// the errno that refused it, as JSON.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

// struct posix_acl_xattr_header and _entry of linux/posix_acl_xattr.h: nobody may do anything.
static const struct {
  uint32_t version;
  struct {
    uint16_t tag, permissions;
    uint32_t id;
  } entries[3];
} nothing = {2, {{0x01, 0, ~0U}, {0x04, 0, ~0U}, {0x20, 0, ~0U}}};

static int overwrite(const char* path) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  const int result = pwrite(file, "#!/bin/false\n", 13, 0) == 13 ? 0 : -1;
  close(file);
  return result;
}

static int shorten(const char* path) {
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return truncate(path, 0);
  const int result = ftruncate(file, 0);
  close(file);
  return result;
}

static int kept[16], kept_count;

static int keep(const char* path) {
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0 || kept_count == 16) return -1;
  kept[kept_count++] = file;
  return 0;
}

static void go_on(int seconds) {
  if (kept_count == 0) return;
  static char garbage[4096];
  memset(garbage, 0x5a, sizeof(garbage));
  fflush(stdout);
  close(1);
  for (const time_t end = time(NULL) + seconds; time(NULL) < end;)
    for (int i = 0; i < kept_count; i++)
      if (pwrite(kept[i], garbage, sizeof(garbage), 0) < 0) return;
}

// An O_PATH descriptor leads to the file when PID has ended, and nobody executes it.
static int kept_path = -1;

static void keep_busy(void) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", kept_path);
  int file = -1;
  for (const time_t until = time(NULL) + 5; file < 0 && time(NULL) < until; usleep(100))
    file = open(path, O_RDWR | O_CLOEXEC);
  close(1);
  sleep(2);
}

static int spoil(const char* path, const char* how) {
  if (strcmp(how, "keep") == 0) return keep(path);
  if (strcmp(how, "busy") == 0) return (kept_path = open(path, O_PATH | O_CLOEXEC)) < 0 ? -1 : 0;
  if (strcmp(how, "write") == 0) return overwrite(path);
  if (strcmp(how, "truncate") == 0) return shorten(path);
  if (strcmp(how, "chmod") == 0) return chmod(path, 0);
  return setxattr(path, "system.posix_acl_access", &nothing, sizeof(nothing), 0);
}

static void tell(const char* name, int result) {
  static int told;
  const char* answer = result == 0 ? "done" : errno == EPERM ? "EPERM" : errno == EACCES ? "EACCES" : strerror(errno);
  printf("%s\"%s\":\"%s\"", told++ == 0 ? "{" : ",", name, answer);
}

int main(int argc, char** argv) {
  char path[320], target[256];
  if (argc != 4) return 2;
  snprintf(path, sizeof(path), "/proc/%s/exe", argv[1]);
  tell("exe", spoil(path, argv[2]));
  snprintf(path, sizeof(path), "/proc/%s/map_files", argv[1]);
  DIR* maps = strcmp(argv[2], "busy") == 0 ? NULL : opendir(path);
  for (struct dirent* entry; maps != NULL && (entry = readdir(maps)) != NULL;) {
    snprintf(path, sizeof(path), "/proc/%s/map_files/%s", argv[1], entry->d_name);
    const ssize_t length = readlink(path, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    if (strstr(target, "memfd:") != NULL) tell(entry->d_name, spoil(path, argv[2]));
  }
  if (maps != NULL) closedir(maps);
  printf("}\n");
  fflush(stdout);
  if (strcmp(argv[2], "keep") == 0) go_on(atoi(argv[3]));
  if (kept_path >= 0) keep_busy();
  return 0;
}

// Root of the inner user namespace: tries to undo the mounts that it stands in, and to come to the user namespace above.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#define NS_GET_USERNS _IO(0xb7, 0x1)
#define NS_GET_PARENT _IO(0xb7, 0x2)

static void say(const char* what, long result) {
  printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
  fflush(stdout);
}

static void undo(const char* prefix) {
  char what[64];
  const char* names[] = {"umount", "writable", "over", "hidden"};
  for (int i = 0; i < 4; i++) {
    snprintf(what, sizeof(what), "%s%s", prefix, names[i]);
    if (i == 0) say(what, umount2("/mnt", MNT_DETACH));
    if (i == 1) say(what, mount(NULL, "/srv", NULL, MS_REMOUNT | MS_BIND, NULL));
    if (i == 2) say(what, mount("none", "/tmp", "tmpfs", 0, NULL));
    if (i == 3) say(what, umount2("/media", MNT_DETACH));
  }
}

static void ask(const char* what, const char* path, unsigned long request) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const int above = fd < 0 ? -1 : ioctl(fd, request);
  say(what, above);
  if (above >= 0) say("enter", setns(above, CLONE_NEWUSER));
}

int main(int argc, char** argv) {
  (void)argv;
  undo("");
  ask("owner", "/proc/self/ns/mnt", NS_GET_USERNS);
  ask("parent", "/proc/self/ns/user", NS_GET_PARENT);
  ask("pid-1-owner", "/proc/1/ns/mnt", NS_GET_USERNS);
  const int more = open("/proc/sys/user/max_user_namespaces", O_WRONLY);
  if (more >= 0) (void)!write(more, "100", 3);
  const int third = unshare(CLONE_NEWUSER | CLONE_NEWNS);
  say("third", third);
  if (argc > 1 && third == 0) {
    umount2("/proc", MNT_DETACH);
    undo("third-");
  }
  return 0;
}

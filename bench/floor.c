/* The floor: what the kernel itself takes for the work of a row, asked for by the fewest calls and nothing around them.
 *
 * A long-lived process, so that the bench can put its runs between those of others. Every line on stdin is answered by
 * one JSON array of nanoseconds on stdout:
 *   plain N        vfork, execve of /bin/true, waitid                 N numbers, one for each child
 *   namespaces N   the same in new namespaces (see `enter` below)     N numbers, one for each child
 *   inflight N     N plain children, up to 64 alive at any time       one number, for all of them
 *   container N    /bin/echo in a root of its own (see `contain`)     N numbers, from the start to the first byte
 *   mounts N M     plain, with N mounts (see `mount_files`)           M numbers, from the start to the exec
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, STACK_SIZE = 64 * 1024, SETUP_FAILED = 125 };

extern char** environ;

static char* const program[] = {"/bin/true", NULL};
static char* const echo[] = {"/bin/echo", "x", NULL};
static int dev_null;
static int output[2];
static long count_of_mounts;

/* Shared with the child, which lives in our memory until its exec. */
static char stack[STACK_SIZE] __attribute__((aligned(16)));
static const char* failed_call;
static int failed_errno;
static _Atomic int gid_map_is_written;
static char uid_map[64];
static char gid_map[64];

static _Noreturn void die(const char* call, int error) {
  fprintf(stderr, "floor: %s: %s\n", call, strerror(error));
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* From here to `start_in_namespaces`: the child. It must not return, and must not touch stdio. */

static _Noreturn void fail(const char* call) {
  failed_call = call;
  failed_errno = errno;
  _exit(SETUP_FAILED);
}

static _Noreturn void become_program(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (dup2(dev_null, fd) < 0) {
      fail("dup2");
    }
  }
  execve(program[0], program, environ);
  fail("execve");
}

static void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  ssize_t length = (ssize_t)strlen(text);
  if (fd < 0 || write(fd, text, (size_t)length) != length) {
    fail(path);
  }
  close(fd);
}

static void bring_loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) {
    fail("loopback");
  }
  close(fd);
}

static void mount_proc(void) {
  int context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
  if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
    fail("fsconfig proc");
  }
  int tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
  if (tree < 0 || syscall(SYS_move_mount, tree, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
    fail("move_mount /proc");
  }
  close(tree);
  close(context);
}

static void write_maps(int parent_writes_gid_map) {
  write_file("/proc/self/uid_map", uid_map);
  if (parent_writes_gid_map) {
    while (!atomic_load(&gid_map_is_written)) {
      syscall(SYS_futex, &gid_map_is_written, FUTEX_WAIT, 0, NULL, NULL, 0);
    }
  } else {
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/gid_map", gid_map);
  }
}

/* What clone('/bin/true', [], { flags: NEWUSER | NEWPID | NEWNS | NEWUTS | NEWIPC | NEWNET | NEWCGROUP, uidMap: 'root',
 * gidMap: 'root', hostname: 'box', mounts: [{ type: 'proc', target: '/proc' }], loopback: true, stdio: 'ignore' })
 * asks of the kernel. The namespaces are there already: the clone made them. */
static int enter(void* parent_writes_gid_map) {
  write_maps(parent_writes_gid_map != NULL);
  if (sethostname("box", 3) < 0) {
    fail("sethostname");
  }
  bring_loopback_up();
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    fail("mount private");
  }
  mount_proc();
  become_program();
}

static int new_mount(const char* type, unsigned attributes) {
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
    fail(type);
  }
  int tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  if (tree < 0) {
    fail("fsmount");
  }
  close(context);
  return tree;
}

static int copy_of(const char* path, unsigned flags, unsigned attributes) {
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
  struct mount_attr wanted = {.attr_set = attributes, .propagation = MS_PRIVATE};
  if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | flags, &wanted, sizeof wanted) < 0) {
    fail(path);
  }
  return tree;
}

/* The working directory is the new root. */
static void attach(int tree, const char* target) {
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
    fail(target);
  }
  close(tree);
}

static void attach_folder(int tree, const char* target) {
  if (mkdir(target, 0755) < 0) {
    fail(target);
  }
  attach(tree, target);
}

static void attach_file(const char* source, const char* target) {
  int file = open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0) {
    fail(target);
  }
  close(file);
  attach(copy_of(source, 0, MOUNT_ATTR_NOSUID), target);
}

static void make_link(const char* text, const char* path) {
  if (symlink(text, path) < 0) {
    fail(path);
  }
}

static void make_readonly(const char* path) {
  attach(copy_of(path, AT_RECURSIVE, MOUNT_ATTR_RDONLY), path);
}

static void drop_capabilities(void) {
  struct __user_cap_header_struct us = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}};
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  if (syscall(SYS_capset, &us, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
    fail("capset");
  }
}

/* What `container()` of rows/container.mjs has. */
static int contain(void* parent_writes_gid_map) {
  static char* const environment[] = {"PATH=/usr/bin:/bin", NULL};
  const unsigned safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  write_maps(parent_writes_gid_map != NULL);
  if (sethostname("box", 3) < 0) {
    fail("sethostname");
  }
  bring_loopback_up();
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    fail("mount private");
  }
  int root = new_mount("tmpfs", 0);
  int usr = copy_of("/usr", AT_RECURSIVE, safe | MOUNT_ATTR_RDONLY);
  int sys = copy_of("/sys", AT_RECURSIVE, safe | MOUNT_ATTR_RDONLY);
  attach(root, "/tmp");
  if (chdir("/tmp") < 0) {
    fail("chdir");
  }
  attach_folder(usr, "usr");
  make_link("usr/bin", "bin");
  make_link("usr/lib", "lib");
  make_link("usr/lib64", "lib64");
  make_link("usr/sbin", "sbin");
  attach_folder(new_mount("proc", safe | MOUNT_ATTR_NOEXEC), "proc");
  attach_folder(sys, "sys");
  attach_folder(new_mount("tmpfs", MOUNT_ATTR_NOSUID), "dev");
  attach_file("/dev/null", "dev/null");
  attach_file("/dev/zero", "dev/zero");
  attach_file("/dev/full", "dev/full");
  attach_file("/dev/random", "dev/random");
  attach_file("/dev/urandom", "dev/urandom");
  attach_file("/dev/tty", "dev/tty");
  make_link("pts/ptmx", "dev/ptmx");
  make_link("/proc/kcore", "dev/core");
  make_link("/proc/self/fd", "dev/fd");
  make_link("/proc/self/fd/0", "dev/stdin");
  make_link("/proc/self/fd/1", "dev/stdout");
  make_link("/proc/self/fd/2", "dev/stderr");
  if (mkdir("dev/shm", 0755) < 0) {
    fail("dev/shm");
  }
  attach_folder(new_mount("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "dev/pts");
  attach_folder(new_mount("tmpfs", safe), "tmp");
  attach_folder(new_mount("tmpfs", safe), "run");
  make_readonly("proc/sys");
  make_readonly("proc/irq");
  make_readonly("proc/bus");
  if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
    fail("pivot_root");
  }
  drop_capabilities();
  if (dup2(dev_null, 0) < 0 || dup2(output[1], 1) < 0 || dup2(dev_null, 2) < 0) {
    fail("dup2");
  }
  execve(echo[0], echo, environment);
  fail("execve");
}

/* What `mounts()` of rows/container.mjs has: binds of a file, each in a place of its own. */
static int mount_files(void* parent_writes_gid_map) {
  char target[24];
  write_maps(parent_writes_gid_map != NULL);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    fail("mount private");
  }
  attach(new_mount("tmpfs", 0), "/mnt");
  if (chdir("/mnt") < 0) {
    fail("chdir");
  }
  for (long i = 0; i < count_of_mounts; i++) {
    snprintf(target, sizeof target, "%ld", i);
    attach_file("/dev/null", target);
  }
  become_program();
}

/* The parent again. */

static pid_t start_plain(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    become_program();
  }
  if (pid < 0) {
    die("vfork", errno);
  }
  return pid;
}

/* A gid_map with groups still allowed has to be written by a process that is privileged outside (user_namespaces(7)),
 * so there the parent cannot be suspended by CLONE_VFORK. It has only this one child, whose stack stays its own. */
static pid_t start_with(int (*child)(void*), int namespaces) {
  static char yes;
  int privileged = geteuid() == 0;
  atomic_store(&gid_map_is_written, 0);
  pid_t pid = clone(child, stack + STACK_SIZE, CLONE_VM | (privileged ? 0 : CLONE_VFORK) | namespaces | SIGCHLD,
                    privileged ? &yes : NULL);
  if (pid < 0) {
    die("clone", errno);
  }
  if (privileged) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, gid_map, strlen(gid_map)) < 0) {
      int error = errno;
      kill(pid, SIGKILL);
      die(path, error);
    }
    atomic_store(&gid_map_is_written, 1);
    syscall(SYS_futex, &gid_map_is_written, FUTEX_WAKE, 1, NULL, NULL, 0);
    close(fd);
  }
  return pid;
}

static const int all_namespaces =
    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;

static pid_t start_in_namespaces(void) { return start_with(enter, all_namespaces); }

static pid_t wait_for(idtype_t which, pid_t pid) {
  siginfo_t end;
  while (waitid(which, (id_t)pid, &end, WEXITED) < 0) {
    if (errno != EINTR) {
      die("waitid", errno);
    }
  }
  if (end.si_code != CLD_EXITED || end.si_status != 0) {
    die(failed_call ? failed_call : "/bin/true did not succeed", failed_errno);
  }
  return end.si_pid;
}

static void one_by_one(pid_t (*start)(void), long count) {
  for (long i = 0; i < count; i++) {
    long long began = now();
    wait_for(P_PID, start());
    printf("%s%lld", i ? "," : "", now() - began);
  }
}

/* From the start until what the pipe has is there, which is its end for a program that says nothing. */
static void until_read(int (*child)(void*), int namespaces, long count) {
  for (long i = 0; i < count; i++) {
    char byte;
    long long began = now();
    if (pipe2(output, O_CLOEXEC) < 0) {
      die("pipe2", errno);
    }
    pid_t pid = start_with(child, namespaces);
    close(output[1]);
    if (read(output[0], &byte, 1) < 0) {
      die("read", errno);
    }
    long long took = now() - began;
    wait_for(P_PID, pid);
    close(output[0]);
    printf("%s%lld", i ? "," : "", took);
  }
}

static int run_program(void* nothing) {
  (void)nothing;
  become_program();
}

/* Not vfork: its caller is suspended until the exec, so one start would wait for the other. Each child has a stack. */
static void in_flight(long count) {
  static char stacks[IN_FLIGHT][STACK_SIZE] __attribute__((aligned(16)));
  pid_t alive[IN_FLIGHT] = {0};
  long long began = now();
  long started = 0;
  for (long ended = 0; ended < count;) {
    for (int slot = 0; slot < IN_FLIGHT && started < count; slot++) {
      if (alive[slot] == 0) {
        alive[slot] = clone(run_program, stacks[slot] + STACK_SIZE, CLONE_VM | SIGCHLD, NULL);
        if (alive[slot] < 0) {
          die("clone", errno);
        }
        started++;
      }
    }
    pid_t gone = wait_for(P_ALL, 0);
    for (int slot = 0; slot < IN_FLIGHT; slot++) {
      if (alive[slot] == gone) {
        alive[slot] = 0;
        ended++;
      }
    }
  }
  printf("%lld", now() - began);
}

int main(void) {
  char mode[16];
  long count;
  long times;
  dev_null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (dev_null < 0) {
    die("/dev/null", errno);
  }
  snprintf(uid_map, sizeof uid_map, "0 %u 1\n", (unsigned)geteuid());
  snprintf(gid_map, sizeof gid_map, "0 %u 1\n", (unsigned)getegid());
  while (scanf("%15s %ld", mode, &count) == 2) {
    printf("[");
    if (!strcmp(mode, "plain")) {
      one_by_one(start_plain, count);
    } else if (!strcmp(mode, "namespaces")) {
      one_by_one(start_in_namespaces, count);
    } else if (!strcmp(mode, "inflight")) {
      in_flight(count);
    } else if (!strcmp(mode, "container")) {
      until_read(contain, all_namespaces, count);
    } else if (!strcmp(mode, "mounts") && scanf("%ld", &times) == 1) {
      count_of_mounts = count;
      until_read(mount_files, CLONE_NEWUSER | CLONE_NEWNS, times);
    } else {
      die(mode, EINVAL);
    }
    printf("]\n");
    fflush(stdout);
  }
  return 0;
}

// A library whose loading puts a seccomp filter on the calling thread: REFUSE='435=38 59=kill' answers the system call 435
// with the errno 38 and kills whoever makes the call 59.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

enum { most = 60 };

static void check(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(70);
}

__attribute__((constructor)) static void install(void) {
  struct sock_filter filter[most + 8] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
  };
  unsigned short length = 4;
  const char* given = getenv("REFUSE");
  if (given == NULL) return;
  for (const char* rule = given; rule != NULL && length < most; rule = strchr(rule, ' ')) {
    while (*rule == ' ') rule++;
    const char* answer = strchr(rule, '=');
    check(answer != NULL, "REFUSE");
    const unsigned action = strncmp(answer, "=kill", 5) == 0 ? SECCOMP_RET_KILL_PROCESS
                                                             : SECCOMP_RET_ERRNO | (unsigned)atoi(answer + 1);
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(rule), 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {length, filter};
  if (geteuid() != 0) check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
  check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp");
}

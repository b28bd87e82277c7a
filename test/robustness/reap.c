// A library whose loading takes the children's ends away from everybody else: REAP=ignore lets the kernel reap them, as
// SIG_IGN for SIGCHLD does; REAP=wait starts a thread that waits for any child, as careless libraries do.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void* reap(void* unused) {
  for (;;) {
    if (waitpid(-1, NULL, __WALL) < 0) usleep(50);
  }
  return unused;
}

__attribute__((constructor)) static void take(void) {
  const char* how = getenv("REAP");
  if (how == NULL) return;
  if (strcmp(how, "ignore") == 0) {
    signal(SIGCHLD, SIG_IGN);
    return;
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, reap, NULL) != 0) abort();
}

// A tracer that holds on to a process that has ended, as a debugger does, until its input ends: hold-zombie PID
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const pid_t pid = atoi(arguments[1]);
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) {
    perror("PTRACE_SEIZE");
    return 1;
  }
  puts("holding");
  fflush(stdout);
  siginfo_t info;
  // Looked at, not reaped: until we end nobody else can.
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL) != 0) return 1;
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}

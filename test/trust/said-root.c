// A program with the set-user-ID bit that becomes root by itself, as sudo does: says `size` bytes, and ends with 3 when a folder is
// no more, or its parent. An ordinary user may not kill it.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char** words) {
  const pid_t parent = getppid();
  if (count != 3 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) return 70;
  for (long size = atol(words[2]); size > 0; size--) putchar('x');
  fflush(stdout);
  while (access(words[1], F_OK) == 0 && getppid() == parent) usleep(1000);
  return 3;
}

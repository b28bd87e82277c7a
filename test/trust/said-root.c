// A program with the set-user-ID bit that becomes root by itself, as sudo does: says `size` bytes, and ends with 3 after so many
// milliseconds. An ordinary user may not kill it.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char** words) {
  if (count != 3 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) return 70;
  for (long size = atol(words[2]); size > 0; size--) putchar('x');
  fflush(stdout);
  usleep((useconds_t)atol(words[1]) * 1000);
  return 3;
}

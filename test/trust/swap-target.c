// Swaps a folder and a link that leads out, again and again, until its standard input ends: swap-target FOLDER LINK
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  unsigned long rounds = 0;
  puts("ready");
  fflush(stdout);
  while (poll(&input, 1, 0) == 0) {
    for (int i = 0; i < 64; i++) {
      // What is there is never missing: the two change places in one step.
      if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) != 0) return 1;
      rounds++;
    }
  }
  printf("%lu\n", rounds);
  return 0;
}

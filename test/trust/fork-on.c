// Is never the same process for long: each has a child and ends, in many lines at once, until a time is over. With
// `setsid` each has a session of its own, too.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const int lines = atoi(arguments[1]);
  const time_t end = time(NULL) + atoi(arguments[2]);
  const int leaves = count > 3 && strcmp(arguments[3], "setsid") == 0;
  signal(SIGTERM, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);
  for (int line = 0; line < lines; line++) {
    if (fork() != 0) continue;
    for (unsigned generation = 0; time(NULL) < end; generation++) {
      if (fork() > 0) _exit(0);
      if (leaves) setsid();
      if (line == 0 && generation == 100) {
        puts("ready");
        fflush(stdout);
      }
    }
    _exit(0);
  }
  while (time(NULL) < end) pause();
  return 0;
}

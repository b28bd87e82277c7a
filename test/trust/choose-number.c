// Root of a container that chooses the number of a process of the host's that comes, and stops that before its first
// word.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char** arguments) {
  if (count != 2) return 64;
  const int number = atoi(arguments[1]);
  FILE* last = fopen("/proc/sys/kernel/ns_last_pid", "w");
  // The first of the two that are made for one start has the number before it.
  if (last == NULL || fprintf(last, "%d", number - 2) < 0 || fclose(last) != 0) return 71;
  puts("ready");
  fflush(stdout);
  const time_t end = time(NULL) + 5;
  while (kill(number, SIGSTOP) != 0 && time(NULL) < end) {
  }
  sleep(1000);
  return 0;
}

// A program that takes the name of the stub, and then exits with 7, kills itself, or says so and stays until its stdin ends.
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char** words) {
  prctl(PR_SET_NAME, "nsclone/stub", 0, 0, 0);
  const char* const end = count > 1 ? words[1] : "exit";
  if (strcmp(end, "kill") == 0) {
    signal(SIGUSR1, SIG_DFL);
    raise(SIGUSR1);
  }
  if (strcmp(end, "stay") == 0) {
    char byte = 0;
    while (read(0, &byte, 1) > 0) {
    }
  }
  return 7;
}

// A program that takes the name of the stub, or one that a file has, and then exits with 7, kills itself, or stays until its stdin ends.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char** words) {
  char name[16] = "nsclone/stub";
  FILE* const file = count > 2 ? fopen(words[2], "r") : NULL;
  if (file != NULL && fgets(name, sizeof(name), file) == NULL) return 71;
  prctl(PR_SET_NAME, name, 0, 0, 0);
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

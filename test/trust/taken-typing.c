// What an untrusted command does to a terminal: types a line into each that it has. Tells the errno of each, 0 where it could,
// and which one is its controlling terminal.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

// CVE-2017-5226, see TIOCSTI in ioctl_tty(2).
static int type(int terminal) {
  for (const char* key = "typed\n"; *key != '\0'; key++) {
    if (ioctl(terminal, TIOCSTI, key) != 0) return errno;
  }
  return 0;
}

// tty_nr of proc_pid_stat(5).
static int controlling(void) {
  char text[512];
  FILE* const file = fopen("/proc/self/stat", "r");
  int number = -1;
  if (file == NULL || fgets(text, sizeof(text), file) == NULL) return -1;
  fclose(file);
  const char* const rest = strrchr(text, ')');
  if (rest == NULL || sscanf(rest, ") %*c %*d %*d %*d %d", &number) != 1) return -1;
  return number;
}

int main(void) {
  const int terminal = open("/dev/tty", O_RDWR | O_NOCTTY);
  const int why = terminal < 0 ? errno : type(terminal);
  printf("/dev/tty %d, 0 %d, 1 %d, 2 %d, controlling %d\n", why, type(0), type(1), type(2), controlling());
  return 0;
}

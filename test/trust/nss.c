// A library that the C library loads where nsswitch.conf names it: says so as soon as it is there.
#include <unistd.h>

__attribute__((constructor)) static void say(void) {
  static const char text[] = "a stranger's library is loaded\n";
  (void)!write(2, text, sizeof(text) - 1);
}

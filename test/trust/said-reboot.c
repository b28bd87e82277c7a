// A program beside a pid 1 that ends its container as a whole.
#include <sys/reboot.h>
#include <unistd.h>

int main(void) {
  // Of a pid namespace of its own, and not of a host.
  return getpid() == 2 && getppid() == 1 ? reboot(RB_POWER_OFF) : 70;
}

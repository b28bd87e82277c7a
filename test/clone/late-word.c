// Preloaded: a Node that is late. What it finds nothing said on, it looks away from for a moment, in which children go on.
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t recvmsg(int socket, struct msghdr* message, int flags) {
  const ssize_t result = syscall(SYS_recvmsg, socket, message, flags);
  if (result < 0 && errno == EAGAIN) {
    usleep(1500);
    errno = EAGAIN;
  }
  return result;
}

// Who answers the notifications of a filter, at a Unix socket: `supervise PATH HOW`. Says 'ready' once it listens, then on lines what it
// was sent (the text, and how many descriptors) and what it is asked. HOW:
//   ERRNO          every call of mkdir(2), mkdirat(2) and uname(2) gets this errno, all others are let through
//   0              all calls are let through
//   pretend        every call is answered as if it had been made, and none is
//   silent         nothing is answered until stdin is at its end
//   drop           the listener is closed at once
//   refuse         the connection is closed before anything is read
//   deaf           the connection is never accepted
//   slow           the connection is read once stdin is at its end
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int is_named(int number) {
#ifdef SYS_mkdir
  if (number == SYS_mkdir) return 1;
#endif
  return number == SYS_mkdirat || number == SYS_uname;
}

static void until_told(void) {
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
}

/** Reads one message, and on to the end of the connection; returns the descriptor that came. */
static int receive(int connection) {
  static char text[1 << 20];
  char control[CMSG_SPACE(4 * sizeof(int))];
  struct iovec part = {text, sizeof(text) - 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  ssize_t length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  if (length <= 0) return -1;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  size_t count = header == NULL ? 0 : (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  int listener = -1;
  if (count > 0) memcpy(&listener, CMSG_DATA(header), sizeof(listener));
  for (ssize_t more; (more = read(connection, text + length, sizeof(text) - 1 - (size_t)length)) > 0;) length += more;
  text[length] = '\0';
  printf("%s\n%zu\n", text, count);
  fflush(stdout);
  return listener;
}

static void answer(int listener, int error, int pretends) {
  for (;;) {
    struct pollfd one = {listener, POLLIN, 0};
    if (poll(&one, 1, -1) < 0 || (one.revents & POLLIN) == 0) return;
    struct seccomp_notif asked;
    memset(&asked, 0, sizeof(asked));
    // ENOENT: who asked has ended meanwhile.
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) continue;
    const int refuses = error != 0 && is_named(asked.data.nr);
    printf("%d of %d\n", asked.data.nr, (int)asked.pid);
    fflush(stdout);
    struct seccomp_notif_resp said = {.id = asked.id, .error = refuses ? -error : 0};
    if (!refuses && !pretends) said.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const char* how = argv[2];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof(address.sun_path) - 1);
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(server, (struct sockaddr*)&address, sizeof(address)) != 0 || listen(server, 0) != 0) return 3;
  printf("ready\n");
  fflush(stdout);
  if (strcmp(how, "deaf") == 0) return until_told(), 0;
  const int connection = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  if (strcmp(how, "refuse") == 0) {
    close(connection);
    return until_told(), 0;
  }
  if (strcmp(how, "slow") == 0) until_told();
  const int listener = receive(connection);
  close(connection);
  if (listener < 0) return 4;
  if (strcmp(how, "silent") == 0) until_told();
  else if (strcmp(how, "drop") != 0) answer(listener, atoi(how), strcmp(how, "pretend") == 0);
  return close(listener);
}

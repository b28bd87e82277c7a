// Sends descriptors that nobody receives, as many as the limit of its user allows, and keeps them on their way until
// its input ends.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 50

int main(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return 1;
  char control[CMSG_SPACE(AT_ONCE * sizeof(int))];
  char byte = 0;
  struct iovec content = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &content, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(AT_ONCE * sizeof(int));
  for (int i = 0; i < AT_ONCE; i++) memcpy(CMSG_DATA(header) + i * sizeof(int), &ends[0], sizeof(int));
  while (sendmsg(ends[1], &message, MSG_DONTWAIT) == 1) {
  }
  if (errno != ETOOMANYREFS) {
    perror("sendmsg");
    return 1;
  }
  puts("sent");
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}

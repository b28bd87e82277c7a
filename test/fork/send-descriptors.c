// Sends descriptors with its messages to Node: each a connection with unsent data whose close lingers for 20 seconds.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int Lingering(void) {
  const int small = 4096;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  if (bind(server, (struct sockaddr*)&address, sizeof(address)) != 0 || listen(server, 1) != 0) return -1;
  getsockname(server, (struct sockaddr*)&address, &size);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client, (struct sockaddr*)&address, size) != 0) return -1;
  // Its other end is never read.
  if (accept(server, NULL, NULL) < 0) return -1;
  static char data[65536];
  while (send(client, data, sizeof(data), MSG_DONTWAIT) > 0) {
  }
  const struct linger linger = {1, 20};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
  return client;
}

static int SendWith(int descriptor, const char* text) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec bytes = {(void*)text, strlen(text)};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  return sendmsg(3, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

int main(int argc, char** argv) {
  // One lingers, the rest cost nothing to close.
  const int count = argc > 1 ? atoi(argv[1]) : 1;
  const int descriptor = count == 1 ? Lingering() : open("/dev/null", O_RDONLY);
  if (descriptor < 0) return 2;
  int error = 0;
  for (int i = 0; i < count; i++) error = SendWith(descriptor, "\"sent with\"\n");
  // What is ours alone would linger here.
  if (error == 0) close(descriptor);
  dprintf(3, "%s\"sent without\"\n", error == EPERM ? "\"EPERM\"\n" : "");
  return 0;
}

// recvmsg(2) with SCM_CREDENTIALS, SCM_PIDFD and SCM_RIGHTS.
#include "watch/received.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

namespace nsclone {
namespace {

// Kinds of namespaces.
constexpr size_t kMostNamespaces = 8;

std::vector<Descriptor> DescriptorsIn(const cmsghdr& part) {
  std::vector<Descriptor> all((part.cmsg_len - CMSG_LEN(0)) / sizeof(int));
  for (size_t i = 0; i < all.size(); i++) {
    int number = -1;
    memcpy(&number, CMSG_DATA(&part) + i * sizeof(int), sizeof(int));
    // A negative one is the errno of why there is none.
    if (number >= 0) all[i] = AboveStdio(Descriptor(number));
  }
  return all;
}

}  // namespace

Received ReceiveFrom(int channel) {
  Received received;
  alignas(cmsghdr)
      uint8_t control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(kMostNamespaces * sizeof(int))];
  iovec content = {&received.message, 1};
  msghdr header = {};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  do {
    received.length = recvmsg(channel, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received.length < 0 && errno == EINTR);
  if (received.length < 0) return received;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred who = {};
      memcpy(&who, CMSG_DATA(part), sizeof(who));
      received.sender = who.pid;
    } else if (part->cmsg_type == SCM_PIDFD) {
      received.pidfd = std::move(DescriptorsIn(*part)[0]);
    } else if (part->cmsg_type == SCM_RIGHTS) {
      received.descriptors = DescriptorsIn(*part);
    }
  }
  return received;
}

}  // namespace nsclone

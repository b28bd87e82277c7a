// A message of a child's, with what came along, attested by the kernel.
#ifndef NSCLONE_WATCH_RECEIVED_H_
#define NSCLONE_WATCH_RECEIVED_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "launch/descriptor.h"

namespace nsclone {

struct Received {
  // 1 where there was one, else as recvmsg(2) has it; errno is that of the call.
  ssize_t length = -1;
  uint8_t message = 0;
  pid_t sender = 0;
  Descriptor pidfd;  // of the sender
  std::vector<Descriptor> descriptors;
};

// Waits for none.
Received ReceiveFrom(int channel);

}  // namespace nsclone

#endif  // NSCLONE_WATCH_RECEIVED_H_

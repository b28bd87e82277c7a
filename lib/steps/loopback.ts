// Step `loopback`: the loopback interface of the new network namespace, which the kernel makes down.
import { boolean } from '../check';
import { Flags } from '../flags';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { needs, whyNotJoined } from '../assembly/needs';
import type { Step } from '../assembly/step';

const { AF_INET, IFF_UP, SIOCSIFFLAGS, SOCK_CLOEXEC, SOCK_DGRAM } = constants;

/** `struct ifreq`: 16 bytes of name, then a union whose first member here is the flags. */
const ifreqSize = 40;
const ifreqFlags = 16;
/** The name "lo", in its first word. */
const lo = 0x6f6c;

export const loopback: Step = {
  name: 'loopback',
  options: ['loopback'],
  onlyWhenGiven: true,
  after: { namespaces: 'it is an interface of the network namespace that the process is in' },

  check(given, request) {
    request.loopback = boolean(given.loopback, 'loopback');
  },

  settle(request) {
    if (request.loopback) needs(request, 'loopback', Flags.NEWNET, 'it is the interface of a new network namespace');
  },

  emit(writer, request) {
    if (!request.loopback) return;
    writer.about(this.name, 'loopback').detail('lo');
    writer.add(call.socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
    const socket = writer.keep();
    const ifreq = writer.reserve(ifreqSize);
    writer.setInt32(ifreq, lo);
    writer.setInt32(ifreq + ifreqFlags, IFF_UP);
    // With the first interface up the kernel gives it 127.0.0.1 and ::1 by itself.
    writer.add(call.ioctlOf, socket, SIOCSIFFLAGS, ifreq);
    writer.add(call.close, socket);
  },

  hint: (code, _label, request) => whyNotJoined(code, request, Flags.NEWNET),
};

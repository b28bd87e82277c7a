// Step `hostname`: the name of the new uts namespace.
import { string } from '../check';
import { Flags } from '../flags';
import * as call from '../assembly/calls';
import { needs, whyNotJoined } from '../assembly/needs';
import type { Step } from '../assembly/step';

/** __NEW_UTS_LEN of linux/utsname.h. */
const longest = 64;

export const hostname: Step = {
  name: 'hostname',
  options: ['hostname'],
  onlyWhenGiven: true,
  after: { namespaces: 'it names the uts namespace that the process is in' },

  check(given, request) {
    request.hostname = string(given.hostname, 'hostname', { maxBytes: longest });
  },

  settle(request) {
    if (request.hostname !== undefined)
      needs(request, 'hostname', Flags.NEWUTS, 'without it the host would be renamed');
  },

  emit(writer, { hostname }) {
    if (hostname === undefined) return;
    writer.about(this.name, 'hostname');
    writer.add(call.sethostname, writer.addText(hostname), writer.textSize);
  },

  hint: (code, _label, request) => whyNotJoined(code, request, Flags.NEWUTS),
};

// Step `domainname`: the NIS domain name of the new uts namespace.
import { string } from '../check';
import { Flags } from '../flags';
import * as call from '../assembly/calls';
import { needs, whyNotJoined } from '../assembly/needs';
import type { Step } from '../assembly/step';

/** __NEW_UTS_LEN of linux/utsname.h. */
const longest = 64;

export const domainname: Step = {
  name: 'domainname',
  options: ['domainname'],
  onlyWhenGiven: true,
  after: { namespaces: 'it names the uts namespace that the process is in' },

  check(given, request) {
    request.domainname = string(given.domainname, 'domainname', { maxBytes: longest });
  },

  settle(request) {
    if (request.domainname === undefined) return;
    needs(request, 'domainname', Flags.NEWUTS, 'without it the domain name of the host would be changed');
  },

  emit(writer, { domainname: name }) {
    if (name === undefined) return;
    writer.about(this.name, 'domainname').add(call.setdomainname, writer.addText(name), writer.textSize);
  },

  hint: (code, _label, request) => whyNotJoined(code, request, Flags.NEWUTS),
};

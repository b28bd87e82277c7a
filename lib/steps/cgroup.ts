// Step `cgroup`: the folder of the cgroup that the program is born into.
import { fileDescriptor, path } from '../check';
import { invalidArgType } from '../errors/argument-error';
import { whyNotSupported } from '../host/control-groups';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';
import { whyNoProcess } from './why-no-process';
import { lowestFree } from '../assembly/words';

const { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } = constants;

function checkPath(value: unknown): string {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return path(value, 'cgroup');
  throw invalidArgType('cgroup', 'of type string or number, or an instance of URL', value);
}

/** Opened before the view changes. The stub's copy of a descriptor of ours has its number, until stdio takes that. */
export const cgroupFolder: Step = {
  name: 'cgroup',
  options: ['cgroup'],
  onlyWhenGiven: true,
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  check(given, request) {
    const { cgroup } = given;
    request.cgroup = typeof cgroup === 'number' ? fileDescriptor(cgroup, 'cgroup') : checkPath(cgroup);
  },

  emit(writer, request) {
    const { cgroup } = request;
    if (cgroup === undefined) return;
    writer.about(this.name, 'cgroup').subject(typeof cgroup === 'string' ? cgroup : undefined);
    if (typeof cgroup === 'number') {
      writer.keepOpen(cgroup);
      writer.add(call.fcntl, cgroup, constants.F_DUPFD_CLOEXEC, lowestFree(request));
    } else {
      writer.add(call.openat, AT_FDCWD, writer.addText(cgroup), O_PATH | O_DIRECTORY | O_CLOEXEC);
      // Where Node's own stdio is closed, it may have got one of those numbers.
      const opened = writer.keep();
      writer.add(call.fcntlOf, opened, constants.F_DUPFD_CLOEXEC, lowestFree(request));
      request.cgroupSlot = writer.keep();
      writer.add(call.close, opened);
      return;
    }
    request.cgroupSlot = writer.keep();
  },

  hint(code, _label, request) {
    if (code === 'EBADF' || code === 'ENOTDIR') return 'it must be a folder of the cgroup v2 hierarchy, not one of v1';
    // The second one of older kernels, for a folder that was removed while it was open.
    if (code === 'ENOENT' || code === 'ENODEV') return 'there is no such folder in the cgroup v2 hierarchy';
    if (code === 'EACCES') return 'we may not write its cgroup.procs, or that of the common ancestor';
    if (code === 'EOPNOTSUPP' || code === 'ENOTSUP') return whyNotSupported(request.cgroup);
    if (code === 'EBUSY') return 'it has controllers enabled for its children, so no process may be in it itself';
    return whyNoProcess(code, request);
  },
};

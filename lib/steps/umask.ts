// Step `umask`: the permission bits that new files do not get, see umask(2).
import { integer } from '../check';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

export const umask: Step = {
  name: 'umask',
  options: ['umask'],
  onlyWhenGiven: true,
  after: { mounts: 'what set-up makes has the permissions that it asks for' },

  check(given, request) {
    request.umask = integer(given.umask, 'umask', 0, 0o777);
  },

  emit(writer, { umask: value }) {
    if (value === undefined) return;
    writer.about(this.name, 'umask').add(call.umask, value);
  },
};

// Step `noNewPrivileges`: no exec gives more than the process has, see PR_SET_NO_NEW_PRIVS in prctl(2).
import { boolean } from '../check';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const { PR_SET_NO_NEW_PRIVS } = constants;

export const noNewPrivileges: Step = {
  name: 'noNewPrivileges',
  options: ['noNewPrivileges'],
  after: { identity: 'it is set once everything that needs privilege has happened' },

  check(given, request) {
    request.noNewPrivileges = boolean(given.noNewPrivileges, 'noNewPrivileges');
  },

  settle(request) {
    // Without CAP_SYS_ADMIN the kernel takes a filter, or a ruleset, only after it.
    request.noNewPrivileges ??= request.seccomp.length > 0 || request.landlock !== undefined;
  },

  emit(writer, request) {
    if (request.noNewPrivileges !== true) return;
    writer.about(this.name, 'noNewPrivileges');
    writer.add(call.prctl, PR_SET_NO_NEW_PRIVS, 1);
  },
};

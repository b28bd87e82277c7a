// Step `keyring`: a session keyring of its own, see session-keyring(7).
import { oneOf } from '../check';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const words = ['inherit', 'new'] as const;

const { KEYCTL_JOIN_SESSION_KEYRING } = constants;

export const keyring: Step = {
  name: 'keyring',
  options: ['keyring'],
  onlyWhenGiven: true,
  after: { user: 'the keyring belongs to the user namespace that it is made in' },

  check(given, request) {
    request.newKeyring = oneOf(given.keyring, 'keyring', words) === 'new';
  },

  emit(writer, request) {
    if (!request.newKeyring) return;
    writer.about(this.name, 'keyring').add(call.keyctl, KEYCTL_JOIN_SESSION_KEYRING);
  },

  hint: (code) => (code === 'EDQUOT' ? 'the quota of keys of this user is used up; see /proc/key-users' : undefined),
};

// Answers of other hosts: what this kernel would not refuse is refused by the fault hook, and the host says what it is of.
import { Request } from '../../lib/assembly/request';
import { errnoByName } from '../../lib/kernel/errno';
import { withOwnIds } from '../../lib/probing/id-maps';
import { type Answers, ask, type Question } from '../../lib/probing/line';
import { mountCalls } from '../../lib/probing/mounts';
import { mountNamespace, userNamespace } from '../../lib/probing/namespaces';
import { Writer } from '../../lib/program/writer';
import { addon } from '../support/addon';
import { type Answers as Host, hosts, onHost } from '../support/host';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

/** What is answered where the kernel refuses the first child this instruction. */
const answered = (host: Host, questions: readonly Question[], instruction: number, code: string): Promise<Answers> => {
  // Who asks what the host says reads no files: the maps are those of who we are.
  const request = questions.includes(userNamespace) ? withOwnIds() : new Request();
  return onHost(host, () => {
    addon().setFault!(instruction, errnoByName[code]!);
    return ask(questions, { request });
  });
};

/** How many instructions it has. */
function lengthOf(question: Question): number {
  const writer = new Writer().reset(true);
  const request = withOwnIds();
  request.flags = question.flags;
  question.emit(writer, request);
  return writer.count;
}

const { debian, rhel, ubuntu, free } = hosts;
/** unshare(2), then the map of users is opened and written. */
const line = [userNamespace, mountNamespace(['user'])];

test.each([
  ['Ubuntu', ubuntu, 2, 'EPERM', 'apparmor', /^AppArmor takes the capabilities/, /kernel\.apparmor_restrict_unp/],
  ['Debian', debian, 0, 'EPERM', 'sysctl', /switched off for ordinary users/, /unprivileged_userns_clone to 1/],
  ['RHEL', rhel, 0, 'ENOSPC', 'sysctl', /^sysctl user\.max_user_namespaces is 0/, /^set it/],
  ['RHEL with SELinux', rhel, 0, 'EACCES', 'selinux', /^the SELinux policy for staff_t/, /user_namespace create/],
] as const)('%s: a user namespace, and all in it', async (_, files, instruction, code, cause, detail, hint) => {
  const answers = await answered({ files }, line, instruction, code);
  const refusal = {
    available: false,
    cause,
    detail: expect.stringMatching(detail) as unknown,
    hint: expect.stringMatching(hint) as unknown,
  };
  expect(Object.fromEntries(answers)).toEqual({ user: refusal, mnt: refusal });
});

test('a kernel that is too old', async () => {
  const questions = [...line, mountCalls];
  // The one that makes mounts private.
  const answers = await answered(
    { files: free, release: '5.10.0-28-amd64' },
    questions,
    lengthOf(userNamespace) + 1,
    'ENOSYS',
  );
  expect(answers.get('user')).toEqual({ available: true });
  for (const name of ['mnt', 'mountCalls'])
    expect(answers.get(name)).toEqual({
      available: false,
      cause: 'kernel',
      detail: 'this kernel is 5.10.0-28-amd64, too old',
      hint: 'mount_setattr as it is used here came with 5.12, and nsclone needs 5.15',
    });
});

test('of what nobody shows a cause the error is told, and no other question suffers', async () => {
  const alone: Question = { ...mountNamespace(['user']), needs: [] };
  const answers = await answered({ files: free }, [userNamespace, alone], 0, 'EPERM');
  expect(answers.get('user')).toEqual({
    available: false,
    cause: 'kernel',
    detail: 'EPERM: operation not permitted, unshare CLONE_NEWUSER (flags)',
  });
  expect(answers.get('mnt')?.available).toBe(process.geteuid!() === 0);
});

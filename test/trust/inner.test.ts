// The program of `inner` cannot undo what its mounts hide and protect: not as root of its own user namespace, not by one more
// below, and by no way to the one above.
import { type CloneOptions, Flags } from '../../lib';
import { compiled, withCompiler } from '../support/compiled';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const undo = compiled('trust/undo-mounts');
const look = compiled('trust/look-into');

const outer = {
  ...owned(Flags.NEWNS | Flags.NEWPID),
  mounts: [
    { type: 'proc', target: '/proc' },
    { type: 'tmpfs', target: '/mnt' },
    { type: 'bind', source: '/usr', target: '/srv', readonly: true },
    { type: 'mask', target: '/media' },
  ],
} as const satisfies CloneOptions;
const inner = { uidMap: 'root', gidMap: 'root' } as const;
const third = { 'user.max_user_namespaces': '1' };

async function answers(options: CloneOptions, argument = ''): Promise<Record<string, string>> {
  const lines = (await inside(`exec ${undo.path} ${argument}`, options)).split('\n');
  return Object.fromEntries(lines.map((line) => line.split(' ') as [string, string]));
}

withCompiler('without it root inside undoes them all', async () => {
  expect(await answers(outer)).toMatchObject({ umount: 'done', hidden: 'done', over: 'done' });
});

withCompiler('with it root inside undoes none, and finds no way to the user namespace above', async () => {
  for (const init of [false, true]) {
    expect(await answers({ ...outer, inner, sysctl: third, init })).toEqual({
      umount: 'EPERM',
      writable: 'EPERM',
      over: 'EPERM',
      hidden: 'EPERM',
      owner: 'EPERM',
      parent: 'EPERM',
      'pid-1-owner': init ? 'EACCES' : 'EPERM',
      third: 'ENOSPC',
    });
  }
});

withCompiler('nor does one that makes a third user namespace, where it may: the mounts come locked', async () => {
  expect(await answers({ ...outer, inner }, 'third')).toMatchObject({
    third: 'done',
    'third-umount': 'EINVAL',
    'third-writable': 'EPERM',
    'third-hidden': 'EINVAL',
  });
});

withCompiler('a pid 1 of ours that is in it too is closed to its program', async () => {
  const told = JSON.parse(await inside(`exec ${look.path} 1`, { ...outer, inner, init: true })) as object;
  expect(Object.values(told).filter((answer) => answer !== 'EACCES' && answer !== 'EPERM')).toEqual([]);
});

test('nothing of the way in is open in the program', async () => {
  for (const closeFds of [true, false]) {
    const output = await inside('ls -l /proc/self/fd; readlink /proc/1/ns/user', { ...outer, inner, closeFds });
    expect(output).not.toMatch(/-> user:/);
  }
});

// Why what is joined, or done to it, is refused: whose it is, and where it lies.
import { clone, createNamespaces, type CloneOptions, Flags, run, type SyscallError } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';

leavesNothing();

const hintOf = (options: CloneOptions): Promise<string | undefined> =>
  run('/bin/true', options).then(
    () => 'it ran',
    ({ code, hint }: SyscallError) => `${code}: ${hint}`,
  );

const flags = Flags.NEWUSER;
const ids = { uidMap: 'root', gidMap: 'root' } as const;

rootOnly('what is done in a new user namespace is not done to what is joined', async () => {
  using set = await createNamespaces(Flags.NEWUTS | Flags.NEWNET | Flags.NEWNS);
  const hint =
    'EPERM: the namespace that is joined does not belong to the new user namespace, in which this is done: leave out Flags.NEWUSER';
  for (const options of [
    { join: set.uts, hostname: 'named' },
    { join: set.uts, domainname: 'named' },
    { join: set.net, loopback: true },
    { join: set.mnt, mounts: [{ type: 'tmpfs', target: '/mnt' }] },
  ] satisfies CloneOptions[]) {
    expect(await hintOf({ flags, ...ids, ...options })).toBe(hint);
    expect(await hintOf(options)).toBe('it ran');
  }
});

userOnly('what our own user namespace owns is for who has CAP_SYS_ADMIN there', async () => {
  const hint = 'it belongs to our own user namespace, in which that needs CAP_SYS_ADMIN';
  expect(await hintOf({ join: '/proc/self/ns/uts' })).toBe(`EPERM: ${hint}`);
  expect(
    evaluate(`try { nsclone.setnsSync('/proc/self/ns/uts'); } catch ({ code, hint }) { return [code, hint]; }`),
  ).toEqual(['EPERM', hint]);
});

test('what a user namespace above ours owns is for nobody here', () => {
  const hint = 'it belongs to a user namespace that is not below ours: nobody enters it from here';
  const told = evaluate(
    `const told = [];
     await nsclone.run('true', { join: '/proc/self/ns/uts' }).catch(({ code, hint }) => told.push(code, hint));
     try { nsclone.setnsSync('/proc/self/ns/uts'); } catch ({ code, hint }) { told.push(code, hint); }
     return told;`,
    ['unshare', '--user', '--map-root-user'],
  );
  expect(told).toEqual(['EPERM', hint, 'EPERM', hint]);
});

test('what a user namespace of ours owns is entered together with that', async () => {
  const child = await clone('/bin/sleep', ['100'], { flags: flags | Flags.NEWUTS, ...ids, stdio: 'ignore' });
  const [user, uts] = [child.namespace('user'), child.namespace('uts')];
  try {
    if (process.getuid!() !== 0)
      expect(await hintOf({ join: uts })).toBe(
        'EPERM: needs CAP_SYS_ADMIN in the user namespace that owns it; join that user namespace too',
      );
    expect(await hintOf({ join: [user, uts] })).toBe('it ran');
  } finally {
    user.close();
    uts.close();
    child.kill('SIGKILL');
    await child.exited;
  }
});

rootOnly('a pid namespace above ours is not entered', () => {
  const told = evaluate(
    `const told = [];
     await nsclone.run('true', { join: '/proc/${process.pid}/ns/pid' }).catch(({ code, hint }) => told.push(code, hint));
     try { nsclone.setnsSync('/proc/${process.pid}/ns/pid'); } catch ({ code, hint }) { told.push(code, hint); }
     return told;`,
    'unshare --pid --fork --kill-child'.split(' '),
  );
  const hint = 'a pid namespace that is not below our own cannot be entered';
  expect(told).toEqual(['EINVAL', hint, 'EINVAL', hint]);
});

test('flags of 0, of what has several namespaces, would enter none', () => {
  const told = evaluate<string[]>(
    `const { clone, createNamespaces, Flags, run, runIn, setnsSync } = nsclone;
     const maps = process.geteuid() === 0 ? {} : { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' };
     const box = await clone('sleep', ['100'], { ...maps, flags: (maps.flags ?? 0) | Flags.NEWUTS, stdio: 'ignore' });
     const told = [];
     for (const start of [
       () => run('true', { join: { pid: box.pid, flags: 0 } }),
       () => run('true', { join: { pidfd: box.pidfd, flags: 0 } }),
       async () => setnsSync(box, 0),
       async () => setnsSync({ pid: box.pid }, 0),
       async () => runIn({ pidfd: box.pidfd, flags: 0 }, () => 5),
     ]) await start().then(() => told.push('it ran'), ({ code, message }) => told.push(code + ' ' + /would.*/.exec(message)));
     box.kill('SIGKILL');
     await box.exited;
     return told;`,
  );
  expect(told).toEqual(Array(5).fill('ERR_INVALID_ARG_VALUE would enter nothing: flags are 0'));
});

// What a process has put down for a while, as servers do that act for a user (seteuid(2)), its children's set-up does not take up.
import { mkdirSync } from 'node:fs';

import { rootOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();

/** What the script returns, as a user whose root it can become again. */
function lowered<T>(script: string): T {
  return evaluate<T>(`
    const { Flags, clone, run } = nsclone;
    // What is made for the first start is made as root, too.
    await run('true', [], { env: {} });
    process.setgroups([]);
    process.setegid(1000);
    process.seteuid(1000);
    const codeOf = (promise) => promise.then(({ code }) => code, ({ code, syscall }) => [code, syscall].join(' '));
    try { ${script} } finally { process.seteuid(0); }`);
}

rootOnly('no namespace is made, no mount, no nice value set, and no way found that is closed to the user', () => {
  mkdirSync(folder.at('closed'), { mode: 0o700 });
  folder.file('closed/file', '');
  const closed = JSON.stringify(folder.at('closed'));
  expect(
    lowered(`
      const mounts = [{ type: 'bind', source: ${closed}, target: '/mnt' }];
      return [
        await codeOf(run('true', [], { flags: Flags.NEWNS, mounts })),
        await codeOf(run('true', [], { flags: Flags.NEWUTS, hostname: 'x' })),
        await codeOf(run('true', [], { flags: Flags.NEWPID })),
        await codeOf(run('true', [], { nice: -5 })),
        await codeOf(run('true', [], { cwd: ${closed} })),
        await codeOf(run(${closed} + '/file')),
      ];`),
  ).toEqual([
    'EPERM unshare',
    'EPERM unshare',
    expect.stringMatching(/^EPERM clone/),
    'EACCES setpriority',
    'EACCES chdir',
    'EACCES execve',
  ]);
});

rootOnly('the maps of a new user namespace are closed to it, which is told', () => {
  expect(
    lowered(`
      const options = { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' };
      return (await run('true', [], options).catch((error) => error)).message;`),
  ).toMatch(/^EACCES: .*\/proc\/self\/uid_map \(uidMap\): our effective user id is not the real one/);
});

rootOnly('a command has what one of child_process has', () => {
  const [ours, nodes] = lowered<string[]>(`
    const show = ['^\\\\(Uid\\\\|Gid\\\\|Groups\\\\|Cap\\\\)', '/proc/self/status'];
    return [
      (await run('grep', show)).stdout,
      require('node:child_process').execFileSync('grep', show, { encoding: 'utf8' }),
    ];`);
  expect(ours).toBe(nodes);
  expect(ours).toMatch(/^CapEff:\t0+$/m);
});

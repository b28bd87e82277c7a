// What a process has put down for a while, as servers do that act for a user (seteuid(2)), its children's set-up does not take up.
import { mkdirSync } from 'node:fs';

import { isLinux, rootOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { evaluate, root } from '../support/own-process';
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
  ).toMatch(/^EACCES: .*\/proc\/self\/uid_map \(uidMap\): our effective user or group id is not the real one/);
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

rootOnly('what an exec would do by the real ids is refused, and done where both are given', () => {
  const [refused, done] = lowered<[unknown[], string]>(`
    const filter = { defaultAction: 'SCMP_ACT_ALLOW' };
    const none = { permitted: [], effective: [] };
    const asked = [
      { parentDeathSignal: 'SIGTERM' }, { capabilities: none }, { capabilities: none, noNewPrivileges: true },
      { capabilities: none, seccomp: filter, uid: 1000 }, { capabilities: none, landlock: { rules: [] }, gid: 1000 },
    ];
    const refused = [];
    for (const options of asked) {
      refused.push(await run('true', [], options).then(() => 'started', ({ option, message }) => [option, message]));
    }
    const options = { capabilities: none, noNewPrivileges: true, seccomp: filter, uid: 1000, gid: 1000 };
    const script = "grep -E '^(Uid|Gid|CapPrm)' /proc/self/status; echo x > /root/written-by-lowered && echo written";
    return [refused, (await run('sh', ['-c', script], options)).stdout.replaceAll(/\\s+/g, ' ')];`);
  const needing = (option: string, ids: string): unknown => [
    option,
    expect.stringContaining(`The "${option}" option needs ${ids}: our effective ${ids} is not the real one`),
  ];
  expect(refused).toEqual([
    needing('parentDeathSignal', 'uid and gid'),
    needing('capabilities', 'uid and gid'),
    needing('noNewPrivileges', 'uid and gid'),
    needing('seccomp', 'gid'),
    needing('landlock', 'uid'),
  ]);
  expect(done).toBe('Uid: 1000 1000 1000 1000 Gid: 1000 1000 1000 1000 CapPrm: 0000000000000000 ');
});

rootOnly('whose user alone becomes root of a new user namespace has a group that the exec would go by', () => {
  const [refused, done] = evaluate<[string[], string]>(`
    process.setegid(1000);
    const kept = [{ containerID: 0, hostID: 1000, size: 1 }, { containerID: 1, hostID: 0, size: 1 }];
    const options = {
      flags: nsclone.Flags.NEWUSER, uidMap: [{ containerID: 0, hostID: 100000, size: 1 }], gidMap: kept, parentDeathSignal: 'SIGTERM',
    };
    const refused = await nsclone.run('true', [], options).catch(({ option, message }) => [option, message]);
    const { stdout } = await nsclone.run('grep', ['^Gid', '/proc/self/status'], { ...options, gid: 0 });
    return [refused, stdout.replaceAll(/\\s+/g, ' ')];`);
  expect(refused).toEqual([
    'parentDeathSignal',
    expect.stringContaining(' needs gid: our effective gid is not the real '),
  ]);
  expect(done).toBe('Gid: 0 0 0 0 ');
});

rootOnly('without new privileges it stays who it is, or is refused where the kernel makes another of it', () => {
  const seen = lowered<string[]>(`
    const ids = async (options) => (await run('grep', ['-E', '^(Uid|Gid)', '/proc/self/status'], options)).stdout;
    const asked = [{ noNewPrivileges: true }, { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } }, { landlock: { rules: [{ path: '/', access: ['read', 'execute'] }] } }];
    return Promise.all(asked.map((options) => ids(options).catch(({ message }) => message)));`);
  for (const outcome of seen) {
    if (isLinux('6.17')) expect(outcome.replaceAll(/\s+/g, ' ')).toBe('Uid: 0 1000 1000 1000 Gid: 0 1000 1000 1000 ');
    else expect(outcome).toMatch(/needs uid and gid: .* by that the exec makes the effective one the real one$/);
  }
});

rootOnly('a plan is for who starts it', () => {
  const [made, started, groups] = evaluate<[string, string, string]>(`
    const { plan, clone, run } = nsclone;
    const asked = { parentDeathSignal: 'SIGTERM' };
    const own = plan('true', [], asked);
    await (await clone(own)).exited;
    process.setgroups([]);
    process.setegid(1000);
    process.seteuid(1000);
    const failure = (promise) => promise.then(() => 'started', ({ option }) => option);
    const seen = [await failure(clone(own)), await failure(clone(own, { env: {} }))];
    const lower = plan('grep', ['^Groups', '/proc/self/status'], { uid: 1000, gid: 1000 });
    await run(lower);
    process.seteuid(0);
    process.setgroups([4, 27]);
    return [...seen, (await run(lower)).stdout.trim()];`);
  expect([made, started]).toEqual(['parentDeathSignal', 'parentDeathSignal']);
  expect(groups).toBe('Groups:');
});

rootOnly('groups that are left are left to it alone who may; those that are kept may be said', () => {
  const outcome = lowered<string[]>(`
    const own = await codeOf(run('true', [], { uid: 1000, gid: 1000 }));
    process.seteuid(0);
    process.setgroups([4, 27]);
    process.seteuid(1000);
    const asked = [{}, { groups: [27, 4] }, { groups: [4] }, { groups: [4, 5] }, { groups: [] }];
    const seen = [];
    for (const more of asked) seen.push(await codeOf(run('true', [], { uid: 1000, gid: 1000, ...more })));
    process.seteuid(0);
    process.setgroups([4]);
    process.seteuid(1000);
    return [own, ...seen, await codeOf(run('true', [], { uid: 1000, gid: 1000, groups: [27, 4] }))].map(String);`);
  const no = 'EPERM setgroups';
  expect(outcome).toEqual(['0', no, '0', no, no, no, no]);
});

/** Ours and those of child_process. */
const both = `
  const show = ['-E', '^(Uid|Gid|Groups|Cap)', '/proc/self/status'];
  const seen = [
    (await nsclone.run('grep', show)).stdout,
    require('node:child_process').execFileSync('grep', show, { encoding: 'utf8' }),
  ];`;

rootOnly('an ordinary user with an ambient capability starts commands, also where no other may become ambient', () => {
  for (const securebits of [0, 'SECBIT_NO_CAP_AMBIENT_RAISE']) {
    const [ours, nodes] = evaluate<string[]>(`
      const { constants, run } = nsclone;
      const inner = ${JSON.stringify(`(async () => { const nsclone = require(ROOT); ${both} console.log(JSON.stringify(seen)); })()`)};
      const ambient = ['CAP_NET_ADMIN', 'CAP_SETPCAP'];
      const line = (c) => void c.prctl(constants.PR_SET_SECUREBITS, constants[${JSON.stringify(securebits)}] ?? 0);
      const { stdout, stderr } = await run(process.execPath, ['-e', inner.replace('ROOT', ${JSON.stringify(JSON.stringify(root))})], {
        uid: 1000, gid: 1000, capabilities: { ambient }, steps: [{ at: 'exec', run: line }],
      });
      return stdout === '' ? [stderr] : JSON.parse(stdout);`);
    expect(ours).toBe(nodes);
    expect(ours).toMatch(/^CapEff:\t0+1100$/m);
  }
});

rootOnly('root that is nobody to an exec has what it may be given, and is told what would be lost', () => {
  const wrapper = ['setpriv', '--inh-caps', '+net_admin', '--ambient-caps', '+net_admin', '--securebits', '+noroot'];
  const [ours, nodes] = evaluate<string[]>(`${both} return seen;`, wrapper);
  expect(ours).toBe(nodes);
  const [hostname, message] = evaluate<string[]>(
    `const { Flags, run } = nsclone;
    const options = { flags: Flags.NEWNET, capabilities: ['CAP_NET_ADMIN'] };
    return [
      (await run('true', [], { flags: Flags.NEWUTS }).catch((error) => error)).code,
      (await run('true', [], options).catch((error) => error)).message,
    ];`,
    wrapper,
  );
  expect(hostname).toBe('EPERM');
  expect(message).toContain('would be lost at the exec, because securebits have NOROOT: CAP_NET_ADMIN');
});

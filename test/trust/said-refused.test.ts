// A permanent refusal is not waited out: a call that a container's filter refuses to Node itself.
import { accessSync, constants as files, mkdirSync, writeFileSync } from 'node:fs';

import { syscalls, type SyscallName } from '../../lib/kernel/syscalls';
import { removeCgroup } from '../support/cgroups';
import { evaluate } from '../support/own-process';
import { compiled, library, withCompiler } from '../support/compiled';

const refuse = compiled('robustness/refuse', library);

const unified = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((folder) => {
  try {
    accessSync(`${folder}/cgroup.procs`, files.W_OK);
    return true;
  } catch {
    return false;
  }
});

/** Runs a script whose Node may not make this call: the outcome of each promise, and who is left at the end. */
function outcomes(errno: number | undefined, source: string, refused: SyscallName = 'pidfd_open'): unknown {
  return evaluate(`
    const { clone, Flags } = nsclone;
    const { settled, sleep } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
    const pid = { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root', setgroups: 'deny', stdio: 'ignore' };
    ${errno === undefined ? '' : `process.env.REFUSE = '${syscalls[refused]}=${errno}';`}
    try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
    const told = [];
    // How a call ends, whatever it says: a child that has started and ended, or an error of ours.
    const tell = async (promise) => {
      const end = promise.then(
        async (child) => { const { code, signal } = await child.exited; return String(code ?? signal); },
        (error) => error.name,
      );
      told.push(await Promise.race([end, sleep(slow(5000), 'nothing is told')]));
    };
    ${source}
    const left = (await settled(1e6)).children;
    // What has not ended would keep Node alive.
    for (const line of left) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    setImmediate(() => process.exit(0));
    return [told, left];`);
}

/** As `test()`, for what needs a cgroup that we may make. */
function inCgroup(name: string, body: () => Promise<void>): void {
  if (unified === undefined) test.skip(`${name} (skipped: needs a cgroup v2 hierarchy that we may write)`, body);
  else withCompiler(name, body);
}

const refusals: [string, number][] = [
  ['EPERM', 1],
  ['ENOSYS', 38],
];

withCompiler('poll(2) refused to Node: who has ended has ended', () => {
  const source = `await tell(clone('/bin/sh', ['-c', 'exit 6'], { stdio: 'ignore' })); await tell(clone('/bin/sh', ['-c', 'exit 6'], pid));`;
  // What the C library calls for it.
  const call = process.arch === 'arm64' ? 'ppoll' : ('poll' as SyscallName);
  expect(outcomes(1, source, call)).toEqual([['6', '6'], []]);
});

describe.each(refusals)('pidfd_open(2) refused to Node with %s', (_, errno) => {
  withCompiler('a child in our namespaces needs none', () => {
    expect(outcomes(errno, `await tell(clone('/bin/sh', ['-c', 'exit 6'], { stdio: 'ignore' }));`)).toEqual([
      ['6'],
      [],
    ]);
  });

  withCompiler('a pid namespace of its own: the call settles, and nothing is left', () => {
    const source = `
      await tell(clone('/bin/sh', ['-c', 'exit 6'], pid));
      await tell(clone('/bin/sh', ['-c', 'exit 6'], { ...pid, init: true }));
      await tell(clone('/no/such', [], pid));`;
    const settled = expect.stringMatching(/^(?:6|SyscallError)$/) as unknown;
    expect(outcomes(errno, source)).toEqual([[settled, settled, 'SyscallError'], []]);
  });

  withCompiler('`timeout` and `signal` end what runs for ever', () => {
    const source = `
      await tell(clone('/bin/sleep', ['100'], { ...pid, timeout: slow(200) }));
      await tell(clone('/bin/sleep', ['100'], { ...pid, init: true, timeout: slow(200), killSignal: 'SIGKILL' }));
      await tell(clone('/bin/sleep', ['100'], { ...pid, signal: AbortSignal.timeout(slow(200)) }));`;
    const ended = expect.stringMatching(/^(?:SIGKILL|SyscallError|AbortError)$/) as unknown;
    expect(outcomes(errno, source)).toEqual([[ended, ended, ended], []]);
  });

  withCompiler('a held child settles, or can be ended', () => {
    const source = `
      await tell(clone('/bin/true', [], { ...pid, hold: true }).then((child) => { child.kill(); return child; }));`;
    const ended = expect.stringMatching(/^(?:SIGKILL|SyscallError)$/) as unknown;
    expect(outcomes(errno, source)).toEqual([[ended], []]);
  });

  inCgroup('in a cgroup of its own no zombie stays', async () => {
    const cgroup = `${unified}/nsclone-said-refused-${process.pid}`;
    mkdirSync(cgroup);
    try {
      const source = `
        const cgroup = ${JSON.stringify(cgroup)};
        await tell(clone('/bin/sh', ['-c', 'exit 6'], { cgroup, stdio: 'ignore' }));
        await tell(clone('/bin/sleep', ['100'], { cgroup, stdio: 'ignore', timeout: slow(200) }));
        await tell(clone('/no/such', [], { cgroup, stdio: 'ignore' }));`;
      const settled = expect.stringMatching(/^(?:6|SyscallError)$/) as unknown;
      const ended = expect.stringMatching(/^(?:SIGTERM|SyscallError)$/) as unknown;
      expect(outcomes(errno, source)).toEqual([[settled, ended, 'SyscallError'], []]);
    } finally {
      await removeCgroup(cgroup);
    }
  });
});

describe.each(refusals)('pidfd_send_signal(2) refused to Node with %s', (_, errno) => {
  withCompiler('`timeout`, `signal` and kill() end what runs, and what is held', () => {
    const source = `
      const sleeping = (options) => clone('/bin/sleep', ['100'], { stdio: 'ignore', ...options });
      await tell(inTime((timeout) => sleeping({ timeout })));
      const controller = new AbortController();
      await tell(sleeping({ signal: controller.signal }).then((child) => { controller.abort(); return child; }));
      await tell(inTime((timeout) => sleeping({ ...pid, timeout })));
      await tell(inTime((timeout) => sleeping({ hold: true, timeout })));
      await tell(sleeping({}).then((child) => { child.kill(); return child; }));`;
    const ends = ['SIGTERM', 'SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGTERM'];
    expect(outcomes(errno, source, 'pidfd_send_signal')).toEqual([ends, []]);
  });
});

describe.each(refusals)('close_range(2) refused with %s', (_, errno) => {
  withCompiler(
    'a pid 1 of ours that could not let go of anything says so, and the program does not wait for it',
    () => {
      const source = `
      await tell(clone('/bin/true', [], { ...pid, init: true, closeFds: false }).catch(
        ({ syscall, step }) => { throw { name: syscall + ' ' + step }; }));`;
      expect(outcomes(errno, source, 'close_range')).toEqual([['close_range init'], []]);
    },
  );
});

describe.each(refusals)('wait4(2) refused with %s', (_, errno) => {
  withCompiler('the exit code of a program beside a pid 1 of ours is its own', () => {
    const source = `await tell(clone('/bin/sh', ['-c', 'exit 6'], { ...pid, init: true }));`;
    expect(outcomes(errno, source, 'wait4')).toEqual([['6'], []]);
  });
});

describe.each(refusals)('waitid(2) refused with %s', (_, errno) => {
  withCompiler('nobody waits for a pid 1 of ours that could hear of no end', () => {
    const source = `
      await tell(clone('/bin/sh', ['-c', 'exit 6'], { ...pid, init: true }));
      await tell(clone('/bin/sh', ['-c', 'exit 6'], { ...pid, init: { until: 'last' } }));`;
    expect(outcomes(errno, source, 'waitid')).toEqual([['SyscallError', 'SyscallError'], []]);
  });
});

describe.each(refusals)('capset(2) refused with %s', (_, errno) => {
  withCompiler('no program runs beside a pid 1 of ours that could not give up its rights', () => {
    const source = `await tell(clone('/bin/sh', ['-c', 'exit 6'], { ...pid, init: true }));`;
    expect(outcomes(errno, source, 'capset')).toEqual([['SyscallError'], []]);
  });
});

describe.each(refusals)('ppoll(2) refused with %s', (_, errno) => {
  withCompiler('a child that could not wait for its byte is told of by the call', () => {
    const source = `
      const [fd] = nsclone.perform(nsclone.record((c) => ({ ends: c.pipe2(0) }))).ends;
      await tell(clone('/bin/true', [], { ...pid, hold: { fd } }).catch(
        ({ syscall, option }) => { throw { name: syscall + ' ' + option }; }));`;
    expect(outcomes(errno, source, 'ppoll')).toEqual([['ppoll hold.fd'], []]);
  });
});

describe('a frozen cgroup, in which the first word of a process never comes', () => {
  inCgroup('`timeout` and `signal` end the wait for it, and nothing is left', async () => {
    const cgroup = `${unified}/nsclone-said-frozen-${process.pid}`;
    mkdirSync(cgroup);
    try {
      writeFileSync(`${cgroup}/cgroup.freeze`, '1');
      const source = `
        const options = { cgroup: ${JSON.stringify(cgroup)}, stdio: 'ignore' };
        await tell(clone('/bin/true', [], { ...options, timeout: slow(200) }));
        await tell(clone('/bin/true', [], { ...options, signal: AbortSignal.timeout(slow(200)) }));`;
      expect(outcomes(undefined, source)).toEqual([['SyscallError', 'AbortError'], []]);
    } finally {
      await removeCgroup(cgroup);
    }
  });
});

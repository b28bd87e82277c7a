// Step `init`: the stub stays as a tiny pid 1, and the program is its child.
import { once } from 'node:events';
import {
  existsSync,
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import {
  clone,
  type CloneOptions,
  constants,
  Flags,
  perform,
  record,
  run,
  type SignalName,
  type SyscallError,
} from '../../lib';
import { rootOnly } from '../support/capability';
import { calls, failAt, fieldsOf, killed } from '../support/fault';
import { inside, owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { evaluate, root } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { inTime, slow, until } from '../support/slow';

leavesNothing();

const pid = { ...owned(Flags.NEWPID), init: true } satisfies CloneOptions;
const proc = {
  ...owned(Flags.NEWPID | Flags.NEWNS),
  init: true,
  mounts: [{ type: 'proc', target: '/proc' }],
} satisfies CloneOptions;

/** `struct sock_filter[1]` that kills every call: SECCOMP_RET_KILL_PROCESS. */
const killsAll = Buffer.alloc(8);
killsAll.writeUInt16LE(0x06, 0);
killsAll.writeUInt32LE(0x80000000, 4);

/** A child that prints 'ready' when it listens to what is tested. */
async function ready(script: string, options: CloneOptions = pid): Promise<Awaited<ReturnType<typeof clone>>> {
  const child = await clone('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  await once(child.stdout!, 'data');
  return child;
}

describe('init rejects', () => {
  test.each([1, 'yes', null])('%p', (value) => {
    expect(planning({ flags: Flags.NEWPID, init: value })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'init', 'must be of type boolean'),
    );
  });
  test.each([
    [{ until: 'end' }, 'init.until', 'ERR_INVALID_ARG_VALUE'],
    [{ keep: 3 }, 'init.keep', 'ERR_INVALID_ARG_TYPE'],
    [{ keep: ['3'] }, 'init.keep[0]', 'ERR_INVALID_ARG_TYPE'],
    [{ keep: [2] }, 'init.keep[0]', 'ERR_INVALID_ARG_VALUE'],
    [{ keep: Array.from({ length: 257 }, () => 9) }, 'init.keep', 'ERR_INVALID_ARG_VALUE'],
    [{ untill: 'last' }, 'init.untill', 'ERR_INVALID_ARG_VALUE'],
  ] as const)('%p', (value, option, code) => {
    expect(planning({ flags: Flags.NEWPID, init: value })).toThrow(refusal(code, option));
  });
  test('what pid 1 is to keep where the rest is not closed', () => {
    expect(planning({ flags: Flags.NEWPID, init: { keep: [9] }, closeFds: false })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'init.keep[0]', 'needs closeFds'),
    );
  });
  test('true without a new pid namespace', () => {
    expect(planning({ init: true, flags: Flags.NEWUSER })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'init', 'needs Flags.NEWPID in flags: it is the pid 1 of a new pid namespace'),
    );
    expect(planning({ init: false })).not.toThrow();
  });
});

describe('init emits', () => {
  test('nothing where it is not asked for', () => {
    expect(emitted('init', owned(Flags.NEWPID))).toEqual([]);
    expect(emitted('init', { init: false })).toEqual([]);
  });
  test('a clone that stays, the parent death signal of the program, and its wait for pid 1 to have nothing open', () => {
    expect(emitted('init', pid)).toEqual([
      expect.stringMatching(/^init: pipe2\(&data\[\d+\], O_CLOEXEC\)$/),
      'init: clone(0x11, NULL, NULL, NULL, NULL, 0)  # go on in the new process; the old one stays as pid 1',
      'init: prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)',
      expect.stringMatching(/^init: close\(data\[\d+\]\)$/),
      expect.stringMatching(/^init: read\(data\[\d+\], &data\[\d+\], 1\)$/),
      expect.stringMatching(/^init: close\(data\[\d+\]\)$/),
    ]);
  });
  test('the end of what pid 1 keeps, for the process of the program, before anything else', () => {
    const lines = emitted('init', { ...pid, init: { keep: [20, 21] } });
    const prctl = lines.findIndex((line) => line.startsWith('init: prctl('));
    expect(lines[prctl + 1]).toBe('init: close_range(4, 5, 0)');
  });
  test('parentDeathSignal for pid 1, and none for the program', () => {
    const options: CloneOptions = { ...pid, parentDeathSignal: 'SIGUSR1' };
    expect(emitted('init', options)[1]).toContain('NULL, 10)');
    expect(emitted('parentDeathSignal', options)[0]).toBe('parentDeathSignal: prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)');
  });
});

describe('init, seen from inside', () => {
  test('the program is process 2, and a child of process 1', async () => {
    expect(await inside('echo $$ $PPID', pid)).toBe('2 1');
  });

  test('pid 1 is small, has no open descriptor and is the stub', async () => {
    // The program runs a moment before pid 1 does.
    const script = `i=0; while [ $i -lt 1000 ] && [ -e /proc/1/fd/0 ]; do sleep 0.01; i=$((i+1)); done
      set -- /proc/1/fd/*; echo "$*"; cat /proc/1/comm; grep VmSize /proc/1/status`;
    const [descriptors, comm, size] = (await inside(script, proc)).split('\n');
    expect({ descriptors, comm }).toEqual({ descriptors: '/proc/1/fd/*', comm: expect.stringMatching(/^nsclone\//) });
    expect(Number(/(\d+) kB/.exec(size!)![1])).toBeLessThanOrEqual(200);
  });

  test('the end of a pipe is the end of the program: pid 1 holds none', async () => {
    const child = await ready('echo ready; exec >&-; sleep 100');
    await once(child.stdout!.resume(), 'end');
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await child.exited;
  });

  test('the program stays in the process group and session of Node, however fast pid 1 looks at it', async () => {
    const groups = new Set<string>();
    for (let i = 0; i < 150; i++) {
      const fields = (await run('/bin/cat', ['/proc/self/stat'], proc)).stdout.split(' ');
      groups.add(`group ${fields[4]}, session ${fields[5]}`);
    }
    // Both are outside of the pid namespace.
    expect([...groups]).toEqual(['group 0, session 0']);
  });

  test('with detached both are in a session of pid 1', async () => {
    const fields = (await inside('cat /proc/self/stat', { ...proc, detached: true })).split(' ');
    expect(fields.slice(4, 6)).toEqual(['1', '1']);
  });

  test('orphans are reaped, many at once', async () => {
    // Each subshell leaves a process behind, which pid 1 inherits.
    const script = `i=0; while [ $i -lt 200 ]; do ( (sleep 0.05) & ) ; i=$((i+1)); done
      i=0; while [ $i -lt 2000 ] && set -- /proc/[0-9]* && [ $# -gt 2 ]; do sleep 0.01; i=$((i+1)); done
      grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l; ls -d /proc/[0-9]* | wc -l`;
    const [zombies, processes] = (await inside(script, proc)).split('\n').map(Number);
    expect(zombies).toBe(0);
    // Pid 1, the shell, ls and wc; one more where the shell has forked once again.
    expect(processes).toBeLessThanOrEqual(5);
  });

  test.each<SignalName>([
    'SIGTERM',
    'SIGINT',
    'SIGHUP',
    'SIGUSR1',
    'SIGUSR2',
    'SIGQUIT',
    'SIGWINCH',
    'SIGALRM',
    'SIGRTMIN+3',
  ])('%s goes through to the program', async (signal) => {
    // dash knows real-time signals by number only.
    const number = signal === 'SIGRTMIN+3' ? 37 : signal.slice(3);
    const child = await ready(`trap 'exit 42' ${number}; echo ready; while :; do sleep 0.01; done`);
    expect(child.kill(signal)).toBe(true);
    expect(await child.exited).toMatchObject({ code: 42, signal: null });
  });

  test('a signal that the program does not catch ends it, and that is told', async () => {
    const child = await ready('echo ready; exec sleep 100');
    child.kill('SIGTERM');
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  test('a stopped program goes on', async () => {
    // In a process group of its own: one without a parent outside of it, as Node's may be, cannot be stopped by SIGTSTP.
    const options: CloneOptions = { ...pid, processGroup: 0, stdio: ['pipe', 'pipe', 'inherit'] };
    const child = await ready('echo ready; exec cat', options);
    const program = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'));
    const state = (): string => /^State:\t(.)/m.exec(readFileSync(`/proc/${program}/status`, 'utf8'))![1]!;
    child.kill('SIGTSTP');
    await until(() => state() === 'T');
    child.kill('SIGCONT');
    child.stdin!.end();
    expect(await child.exited).toMatchObject({ code: 0, signal: null });
  });

  test.each([0, 1, 7, 128, 139, 255])('exit code %i is its own', async (code) => {
    expect(await run('/bin/sh', ['-c', `exit ${code}`], pid)).toMatchObject({ code, signal: null });
  });

  test.each(['SEGV', 'KILL', 'TERM', 'ABRT', 'PIPE', 'XFSZ'])(
    'death by SIG%s is told as that, not as 128+n',
    async (name) => {
      const end = await run('/bin/sh', ['-c', `kill -${name} $$`], { ...pid, rlimits: { core: 0 } });
      expect(end).toMatchObject({ code: null, signal: `SIG${name}` });
    },
  );

  test('SIGKILL of pid 1 ends all that is in the namespace', async () => {
    const child = await ready('sleep 100 & sleep 100 & echo ready; wait');
    const members = readdirSync('/proc').filter((name) => {
      try {
        return /^NSpid:\s+\d+\s+[2-9]$/m.test(readFileSync(`/proc/${name}/status`, 'utf8')) && isBelow(name, child.pid);
      } catch {
        return false;
      }
    });
    expect(members).toHaveLength(3);
    child.kill('SIGKILL');
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect(members.filter((member) => isBelow(member, child.pid))).toEqual([]);
  });

  test('what the program leaves running ends with it', async () => {
    const child = await clone('/bin/sh', ['-c', 'sleep 100 & exit 5'], pid);
    expect(await child.exited).toMatchObject({ code: 5, signal: null });
    // Its stdout is at its end: nobody holds it.
    expect(await read(child.stdout)).toBe('');
  });

  test('what the terminal sends to a process group reaches the program once, though pid 1 is in the group', async () => {
    const count = `let n = 0; const waiting = setInterval(() => {}, 1000);
      process.on('SIGINT', () => { if (++n === 1) setTimeout(() => { console.log('count ' + n); clearInterval(waiting); }, ${slow(200)}); });
      console.log('ready');`;
    const script = `const { clone, Flags } = require(${JSON.stringify(root)});
      process.on('SIGINT', () => {});
      const user = process.geteuid() === 0 ? 0 : Flags.NEWUSER;
      clone(process.execPath, ['-e', ${JSON.stringify(count)}], { flags: user | Flags.NEWPID, init: true, stdio: 'inherit' });`;
    const node = await clone(process.execPath, ['-e', script], { pty: true });
    let output = '';
    node.pty.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.endsWith('ready\r\n')) node.pty.write('\x03');
    });
    expect(await once(node, 'close')).toEqual([0, null]);
    expect(output).toMatch(/\^Ccount 1\r\n$/);
  });

  test('a Node that is killed in set-up takes pid 1 and the program with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-init-'));
    try {
      const script = `const { clone, Flags } = require(${JSON.stringify(root)});
        const flags = process.geteuid() === 0 ? Flags.NEWPID : Flags.NEWPID | Flags.NEWUSER;
        clone('/bin/sh', ['-c', 'echo > ${folder}/marker'], { flags, init: true, stdio: 'ignore', hold: true })
          .then((child) => require('node:fs').writeSync(1, String(child.pid)));
        setInterval(() => {}, 1000);`;
      for (let i = 0; i < 6; i++) {
        const node = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
        const [held] = (await once(node.stdout, 'data')) as [Buffer];
        node.kill('SIGKILL');
        await once(node, 'exit');
        await until(() => !isAlive(Number(String(held))));
        expect(readdirSync(folder)).toEqual([]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Whether a process is there and no zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Whether a process is there and a descendant of another. */
function isBelow(member: string, ancestor: number): boolean {
  let current = Number(member);
  for (let depth = 0; depth < 8 && current > 1; depth++) {
    try {
      const status = readFileSync(`/proc/${current}/status`, 'utf8');
      current = Number(/^PPid:\s+(\d+)$/m.exec(status)![1]);
      if (current === ancestor) return true;
    } catch {
      return false;
    }
  }
  return false;
}

/** What the children of a pid 1 are. */
function leftOf(pid: number): string {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.map(nameOf).join();
}

/** Of one that has ended meanwhile there is none. */
function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return '';
  }
}

describe("init until 'last'", () => {
  const last = { ...pid, init: { until: 'last' } } as const satisfies CloneOptions;

  test('ends with the last process, and tells how the program ended', async () => {
    const child = await clone('/bin/sh', ['-c', '(sleep 0.3; echo last) & exit 7'], {
      ...last,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = read(child.stdout);
    expect(await child.exited).toMatchObject({ code: 7, signal: null });
    expect(await output).toBe('last\n');
  });

  test('ends at once where the program was the only one', async () => {
    expect(await (await clone('/bin/sh', ['-c', 'kill -USR1 $$'], { ...last, stdio: 'ignore' })).exited).toMatchObject({
      code: null,
      signal: 'SIGUSR1',
    });
  });

  test('tells of a program that has ended before anybody looked, and whose processes live on', async () => {
    for (let i = 0; i < 20; i++) {
      const child = await clone('/bin/sh', ['-c', 'sleep 100 >&- & exit 3'], {
        ...last,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await read(child.stdout);
      await until(() => leftOf(child.pid) === 'sleep');
      child.kill('SIGKILL');
      expect(await child.exited).toMatchObject({ code: 3 });
    }
  });

  test('hands signals to what is left once the program has ended', async () => {
    const script = '(trap "exit 0" USR2; echo ready >&2; while :; do sleep 0.01; done) & read -r line; exit 5';
    const child = await clone('/bin/sh', ['-c', script], { ...last, stdio: ['pipe', 'ignore', 'pipe'] });
    await once(child.stderr!, 'data');
    const [program] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
    child.stdin!.end();
    await until(() => !existsSync(`/proc/${program}`));
    expect(child.kill('SIGUSR2')).toBe(true);
    expect(await child.exited).toMatchObject({ code: 5 });
  });

  test('loses none that comes with the end of the program, and is taken up before it', () => {
    // Kept from the processor by whoever is more important there: by Node, until it has sent the signal.
    const codes = evaluate<number[]>(`
      const { clone, Flags } = nsclone;
      const { execFileSync } = require('node:child_process');
      const owned = { flags: Flags.NEWUSER | Flags.NEWPID, uidMap: 'root', gidMap: 'root' };
      const script = '(trap "exit 0" USR2; echo ready >&2; while :; do sleep 0.01; done) & read -r line; exit 5';
      const [, cpus, cpu] = /^Cpus_allowed_list:\\t((\\d+).*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'));
      const codes = [];
      for (let i = 0; i < 5; i++) {
        const child = await clone('sh', ['-c', script], { ...owned, init: { until: 'last' }, stdio: ['pipe', 'ignore', 'pipe'] });
        await new Promise((resolve) => child.stderr.once('data', resolve));
        const [program] = fs.readFileSync('/proc/' + child.pid + '/task/' + child.pid + '/children', 'utf8').split(' ');
        execFileSync('chrt', ['--idle', '--pid', '0', String(child.pid)]);
        for (const pid of [child.pid, process.pid]) execFileSync('taskset', ['--cpu-list', '--pid', cpu, String(pid)]);
        const stat = '/proc/' + program + '/stat';
        child.stdin.end();
        await new Promise(setImmediate);
        const hasEnded = () => { try { return fs.readFileSync(stat, 'utf8').includes(') Z '); } catch { return true; } };
        while (!hasEnded());
        child.kill('SIGUSR2');
        // An ordinary user cannot make it important again.
        execFileSync('taskset', ['--cpu-list', '--pid', cpus, String(child.pid)]);
        codes.push((await child.exited).code);
      }
      return codes;`);
    expect(codes).toEqual([5, 5, 5, 5, 5]);
  });

  test('is ended by a timeout with all that there is', async () => {
    const ended = await inTime(async (timeout) => {
      const options: CloneOptions = { ...last, stdio: 'ignore', timeout, killGrace: 50 };
      return (await clone('/bin/sh', ['-c', '(trap "" TERM; sleep 100) & exit 0'], options)).exited;
    });
    expect(ended).toMatchObject({ endedBy: 'timeout' });
  });

  test.each(['/no/such/command', '/etc/passwd'])('has never started where %s cannot be executed', async (command) => {
    await expect(clone(command, { ...last, stdio: 'ignore' })).rejects.toMatchObject({ step: 'command' });
  });
});

describe("init until 'last', of a command that could not be executed", () => {
  test('ends with who was let in while it was held', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-init-'));
    const command = join(folder, 'command');
    copyFileSync('/bin/true', command);
    try {
      const child = await clone(command, { ...pid, init: { until: 'last' }, hold: true, stdio: 'ignore' });
      // Pid 1 is the new parent of what is left.
      const other = await clone('/bin/sh', ['-c', 'sleep 100 & exit 0'], { join: child, stdio: 'ignore' });
      expect(await other.exited).toMatchObject({ code: 0 });
      rmSync(command);
      const before = performance.now();
      await expect(child.start()).rejects.toMatchObject({ code: 'ENOENT', step: 'command' });
      await child.exited;
      expect(performance.now() - before).toBeLessThan(slow(5000));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('init keeps', () => {
  /** Ours, and one that only a child has: at its end when nobody holds it any more. */
  function ownPipe(): { out: number; into: number } {
    const [out, into] = perform(
      record((c) => {
        const ends = c.pipe2(constants.O_CLOEXEC | constants.O_NONBLOCK);
        return [...ends];
      }),
    );
    return { out, into };
  }
  const isOpen = (out: number): boolean => {
    try {
      return readSync(out, Buffer.alloc(1)) !== 0;
    } catch {
      // EAGAIN: somebody may still write.
      return true;
    }
  };

  test('descriptors open as long as it lives, and the program gets none', async () => {
    const { out, into } = ownPipe();
    const lock = openSync('/dev/null', 'r');
    const child = await clone('/bin/sh', ['-c', 'ls /proc/self/fd | wc -l; sleep 100'], {
      ...pid,
      init: { keep: [lock, into] },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [count] = (await once(child.stdout!, 'data')) as [Buffer];
    // With that of ls(1) itself.
    expect(Number(count)).toBe(4);
    closeSync(into);
    closeSync(lock);
    await setTimeout(slow(50));
    expect(isOpen(out)).toBe(true);
    child.kill('SIGKILL');
    await child.exited;
    expect(isOpen(out)).toBe(false);
    closeSync(out);
  });

  rootOnly('no more than those, under numbers of its own', async () => {
    const kept = [openSync('/dev/zero', 'r'), openSync('/dev/full', 'r')];
    const child = await ready('echo ready; sleep 100', { ...proc, init: { keep: kept } });
    for (const descriptor of kept) closeSync(descriptor);
    const folder = `/proc/${child.pid}/fd`;
    await until(() => readdirSync(folder).length === 2);
    expect(readdirSync(folder).map((number) => readlinkSync(join(folder, number)))).toEqual(['/dev/zero', '/dev/full']);
    child.kill('SIGKILL');
    await child.exited;
  });

  test('as many as it takes', async () => {
    const own = openSync('/dev/null', 'r');
    const init = { keep: Array.from({ length: 256 }, () => own) };
    expect(await (await clone('/bin/true', { ...pid, init, stdio: 'ignore' })).exited).toMatchObject({ code: 0 });
    closeSync(own);
  });

  test('and says which one is not open', async () => {
    await expect(clone('/bin/true', { ...pid, init: { keep: [987] } })).rejects.toMatchObject({
      code: 'EBADF',
      option: 'init.keep[0]',
      hint: 'descriptor 987 is not open in Node',
    });
  });
});

describe('init tells how programs end that are fast to die', () => {
  async function outcomes(count: number, start: () => Promise<string>): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    const one = async (): Promise<void> => {
      const outcome = await start();
      found[outcome] = (found[outcome] ?? 0) + 1;
    };
    for (let i = 0; i < count / 2; i++) await one();
    await Promise.all(Array.from({ length: count / 2 }, one));
    return found;
  }
  const failure = (error: SyscallError): string => `${error.code} ${error.step} ${error.signal ?? ''}`.trimEnd();
  const silent = { ...pid, stdio: 'ignore', rlimits: { core: 0 } } as const satisfies CloneOptions;
  const end = async (args: string[], options: CloneOptions = silent): Promise<string> => {
    const { code, signal } = await (await clone('/bin/sh', args, options)).exited;
    return String(code ?? signal);
  };

  test('by a signal of their own', async () => {
    expect(await outcomes(300, () => end(['-c', 'kill -SEGV $$']))).toEqual({ SIGSEGV: 300 });
  });
  test('by their exit', async () => {
    expect(await outcomes(300, () => end(['-c', 'exit 3']))).toEqual({ 3: 300 });
  });
  test('a command that is missing', async () => {
    const start = (): Promise<string> => clone('/no/such/command', silent).then(() => 'started', failure);
    expect(await outcomes(300, start)).toEqual({ 'ENOENT command': 300 });
  });
  test('a filter that kills the execve', async () => {
    const start = (): Promise<string> =>
      clone('/bin/true', { ...silent, seccomp: killsAll }).then(() => 'started', failure);
    expect(await outcomes(300, start)).toEqual({ 'ECHILD command SIGSYS': 300 });
  });
  test('a program that leads a session of its own at once', async () => {
    expect(await outcomes(100, async () => String((await run('setsid', ['true'], silent)).code))).toEqual({ 0: 100 });
  });
});

describe('init reports', () => {
  test('EAGAIN of the clone, with the limits that may be the reason', async () => {
    const error = await failAt(pid, calls('clone(0x11'), 'EAGAIN');
    expect(fieldsOf(error)).toMatchObject({ code: 'EAGAIN', syscall: 'clone', step: 'init', option: 'init' });
  });
  test('what fails in the program, with pid 1 gone as well', async () => {
    const error = await failAt(pid, ({ step, call }) => step === 'init' && call.startsWith('prctl'), 'EPERM');
    expect(fieldsOf(error)).toMatchObject({ code: 'EPERM', syscall: 'prctl', step: 'init' });
    expect(fieldsOf(await failAt(pid, calls('rt_sigprocmask'), 'EPERM'))).toMatchObject({ step: 'signal mask' });
  });
  test('a program killed before its exec', async () => {
    const error = await failAt(pid, calls('execve'), killed);
    expect(fieldsOf(error)).toMatchObject({ code: 'ECHILD', signal: 'SIGKILL', step: 'command' });
  });
});

// Programs that are taken again: only where the options, and all else that instructions depend on, are as they were.
import { execFileSync } from 'node:child_process';
import { once as emitted } from 'node:events';
import { mkdtempSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { clone, type ClonedProcess, type CloneOptions, Flags, plan, run } from '../../lib';
import { constants } from '../../lib/kernel/constants';
import { HardLimits } from '../../lib/privilege';
import { programOf, type Written } from '../../lib/process/programs';
import { list } from '../../lib/program/listing';
import { Writer } from '../../lib/program/writer';
import { assemble, checkRequest } from '../../lib/assembly/assemble';
import { withCapability } from '../support/capability';
import { inside, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { slow } from '../support/slow';
import { evaluate } from '../support/own-process';

leavesNothing();

/** Two ends of a connection. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await emitted(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = emitted(server, 'connection') as Promise<[Socket]>;
  const ours = connect(port, '127.0.0.1');
  const [theirs] = await accepted;
  server.close();
  return [ours, theirs];
}

const namespaces = Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS | Flags.NEWUTS | Flags.NEWNET | Flags.NEWIPC;
const most: CloneOptions = {
  flags: namespaces,
  uidMap: 'root',
  gidMap: 'root',
  hostname: 'box',
  mounts: [{ type: 'proc', target: '/proc' }],
  loopback: true,
  sysctl: { 'net.ipv4.ip_forward': '1' },
  rlimits: { nofile: 64, core: { soft: 0, hard: 10 } },
  cpuAffinity: [0],
  capabilities: ['CAP_NET_ADMIN'],
  seccomp: new Uint8Array(8),
  env: { A: 'b' },
  stdio: ['ignore', 'pipe', 2],
};

/** As a start does it. */
function taken(command: string, args: readonly string[], options: CloneOptions): Written {
  const written = programOf(command, args, options);
  written.release();
  return written;
}

const writerOf = (options: CloneOptions, args: readonly string[] = ['a']): Writer =>
  taken('/bin/true', args, options).writer;

function freshlyWritten(options: CloneOptions): Writer {
  const writer = new Writer().reset();
  assemble(writer, checkRequest('/bin/true', ['a'], options));
  return writer;
}

/** All that runs. */
const contentOf = (writer: Writer): object => ({
  instructions: list(writer),
  data: writer.data.toString('latin1', 0, writer.dataSize),
  relocations: writer.relocations.slice(0, writer.relocationCount),
  kept: writer.kept.slice(0, writer.keptCount),
});

/** Five programs, so that none of before is remembered. */
function forgetAll(): void {
  for (const hostname of ['1', '2', '3', '4', '5']) writerOf({ ...most, hostname });
}

describe('the same program is taken', () => {
  test('for options that are the same by value', () => {
    const same: CloneOptions = {
      ...most,
      mounts: [{ type: 'proc', target: '/proc' }],
      sysctl: { ...most.sysctl },
      rlimits: { nofile: 64, core: { soft: 0, hard: 10 } },
      cpuAffinity: [0],
      capabilities: ['CAP_NET_ADMIN'],
      seccomp: new Uint8Array(8),
      env: { A: 'b' },
      stdio: ['ignore', 'pipe', 2],
      cwd: undefined,
    };
    expect(writerOf({ ...same })).toBe(writerOf(same));
    delete same.cwd;
    expect(writerOf(same)).toBe(writerOf(most));
  });

  test('with another signal and none', async () => {
    const first = taken('/bin/true', [], { ...most, signal: AbortSignal.timeout(1000) });
    const second = taken('/bin/true', [], { ...most, signal: new AbortController().signal });
    expect(second.writer).toBe(first.writer);
    expect(second.request.signal).not.toBe(first.request.signal);
    expect(taken('/bin/true', [], { ...most, signal: undefined }).request.signal).toBeUndefined();
  });

  test('as it was, after starts and other programs', async () => {
    const written = writerOf(most);
    // What a start does to it, see start.ts.
    written.keepOpen(77);
    written.keptCount--;
    written.setInt32(8, 77);
    const fresh = freshlyWritten(most);
    fresh.setInt32(8, 77);
    for (const hostname of ['a', 'b']) writerOf({ ...most, hostname });
    expect(writerOf(most)).toBe(written);
    expect(contentOf(written)).toEqual(contentOf(fresh));
  });

  test('and its child is as new', async () => {
    const options = { ...most, seccomp: undefined, stdio: ['ignore', 'pipe', 'inherit'] as const };
    const look = (): Promise<string> => inside('echo $$ $A; ulimit -n; cat /proc/sys/kernel/hostname', options);
    expect([await look(), await look(), await look()]).toEqual(Array(3).fill('1 b\n64\nbox'));
  });

  test('and each failure is told as of that program, with a signal too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
    const missing = join(folder, 'missing');
    const mounts: CloneOptions['mounts'] = [
      { type: 'bind', source: '/usr', target: '/usr' },
      { type: 'bind', source: missing, target: '/tmp', readonly: true },
    ];
    const { signal } = new AbortController();
    for (const options of [
      { ...most, root: '/', mounts },
      { ...most, mounts: [{ type: 'tmpfs', target: '/tmp' }, { type: 'bind', source: '/', target: '/' }, ...mounts] },
    ] satisfies CloneOptions[]) {
      const { request, writer } = taken('/bin/true', ['a'], { ...options, signal });
      const again = new Writer().reset();
      assemble(again, request);
      expect(contentOf(again)).toEqual(contentOf(writer));
      await expect(clone('/bin/true', ['a'], { ...options, signal })).rejects.toMatchObject({
        code: 'ENOENT',
        syscall: 'open_tree',
        path: missing,
      });
    }
    rmdirSync(folder);
  });
});

describe('another program is written', () => {
  test.each<[string, CloneOptions]>([
    ['a name', { hostname: 'bax' }],
    ['no name', { hostname: undefined }],
    ['a field of a mount', { mounts: [{ type: 'proc', target: '/proc', readonly: true }] }],
    ['one mount more', { mounts: [...most.mounts!, ...most.mounts!] }],
    ['a soft limit', { rlimits: { nofile: 64, core: { soft: 1, hard: 10 } } }],
    ['another resource', { rlimits: { nofile: 64, cpu: { soft: 0, hard: 10 } } }],
    ['a capability', { capabilities: ['CAP_NET_RAW'] }],
    ['a byte of the filter', { seccomp: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1) }],
    ['a variable', { env: { A: 'c' } }],
    ['our own variables', { env: undefined }],
    ['a source of stdio', { stdio: ['ignore', 'pipe', 1] }],
    ['an option more', { umask: 0 }],
  ])('for %s', (_, change) => {
    const listed = list(writerOf(most));
    const other = { ...most, ...change };
    expect(contentOf(writerOf(other))).toEqual(contentOf(freshlyWritten(other)));
    expect(list(writerOf(most))).toBe(listed);
  });

  test('for another command and other arguments', () => {
    expect(writerOf(most, ['b'])).not.toBe(writerOf(most, ['a']));
    expect(writerOf(most, ['a', 'a'])).not.toBe(writerOf(most, ['a']));
    expect(taken('/bin/false', ['a'], most).writer).not.toBe(writerOf(most, ['a']));
  });

  test('where the caller has changed what was given before', () => {
    const mount = { type: 'proc' as const, target: '/proc', readonly: false };
    const args = ['a'];
    const options = { ...most, mounts: [mount] };
    const before = list(writerOf(options, args));
    mount.readonly = true;
    expect(list(writerOf(options, args))).toMatch(/MOUNT_ATTR_RDONLY/);
    args[0] = 'other';
    expect(list(writerOf(options, args))).toMatch(/"other"/);
    mount.readonly = false;
    args[0] = 'a';
    expect(list(writerOf(options, args))).toBe(before);
  });

  test('for one that was not asked for in a while', () => {
    const fresh = contentOf(freshlyWritten(most));
    writerOf(most);
    forgetAll();
    expect(contentOf(writerOf(most))).toEqual(fresh);
  });

  test('for the same kernel parameters in another order', () => {
    const [one, other] = ['net.ipv4.ip_forward', 'net.ipv4.conf.default.forwarding'] as const;
    const listed = (sysctl: Record<string, string>): string => list(writerOf({ ...most, sysctl }));
    const first = listed({ [one]: '1', [other]: '0' });
    const second = listed({ [other]: '0', [one]: '1' });
    expect(second).not.toBe(first);
    expect(second.indexOf('ip_forward')).toBeGreaterThan(second.indexOf('default'));
  });

  test('for the same variables in another order', async () => {
    const names = async (env: Record<string, string>): Promise<string[]> =>
      (await run('/usr/bin/env', { env })).stdout.trim().split('\n');
    expect(await names({ X: '1', Y: '2' })).toEqual(['X=1', 'Y=2']);
    expect(await names({ Y: '2', X: '1' })).toEqual(['Y=2', 'X=1']);
  });

  test('for arguments that are no plain array, and none of it is kept', () => {
    const shared = ['one'];
    const odd = Object.assign(['two'], { map: () => shared });
    expect(list(writerOf(most, odd))).toContain('["/bin/true", "two"]');
    shared[0] = 'two';
    expect(list(writerOf(most, ['one']))).toContain('["/bin/true", "one"]');
    expect(() => writerOf(most, Object.assign([], { 0: 'a', 2: 'c' }))).toThrow(/args\[1\]/);
  });

  test('for a name that every object has by now, and not for one that it had', () => {
    const env = { A: 'x' };
    const variables = (): unknown => list(writerOf({ ...most, env })).match(/\[\d variables?\]/)![0];
    const polluted = Object.prototype as { nscloneTest?: string };
    expect(variables()).toBe('[1 variables]');
    try {
      polluted.nscloneTest = 'y';
      expect(variables()).toBe('[2 variables]');
      expect(variables()).toBe('[2 variables]');
    } finally {
      delete polluted.nscloneTest;
    }
    expect(variables()).toBe('[1 variables]');
  });
});

describe('code of the caller that starts children while one is being started', () => {
  const said = async (child: ClonedProcess): Promise<unknown> => [child.spawnargs, await read(child.stdout)];
  const others: Promise<unknown>[] = [];
  const startOthers = (): void => {
    for (let i = 0; i < 5; i++) others.push(clone('/bin/echo', [`other ${i}`], { env: {} }).then(said));
  };
  afterEach(async () => {
    expect(await Promise.all(others.splice(0))).toEqual(
      [0, 1, 2, 3, 4].map((i) => [['/bin/echo', `other ${i}`], `other ${i}\n`]),
    );
  });
  const main = [['/bin/echo', 'main'], 'main\n'];

  const plain = { env: { A: 'x' } };
  /** Answers, and starts other children the first time that it is asked. */
  function once<T>(answer: T): () => T {
    let asked = false;
    return () => {
      if (!asked) startOthers();
      asked = true;
      return answer;
    };
  }
  const variable = (): CloneOptions => ({ env: Object.defineProperty({}, 'A', { get: once('x'), enumerable: true }) });
  const signal = (): CloneOptions => {
    const listening = { addEventListener() {}, removeEventListener() {} };
    return { ...plain, signal: Object.defineProperty(listening, 'aborted', { get: once(false) }) as never };
  };

  test.each([
    ['a getter among the options', variable],
    ['a getter of what passes for a signal', signal],
  ])('%s', async (_, options) => {
    expect(await said(await clone('/bin/echo', ['main'], plain))).toEqual(main);
    expect(await said(await clone('/bin/echo', ['main'], options()))).toEqual(main);
    expect(others.length).toBe(5);
  });

  test('a listener of a stream that stops reading', async () => {
    const [ours, theirs] = await socketPair();
    try {
      theirs.resume();
      theirs.once('pause', startOthers);
      const stdio = [theirs, 'pipe', 'ignore'] as const;
      expect(await said(await clone('/bin/echo', ['main'], { env: {}, stdio }))).toEqual(main);
    } finally {
      ours.destroy();
      theirs.destroy();
    }
  });
});

describe('nothing is remembered', () => {
  test('of options that are refused', () => {
    for (let i = 0; i < 2; i++) {
      expect(() => writerOf({ ...most, hostname: 'a\0' })).toThrow(/hostname/);
      expect(() => writerOf({ ...most, nice: 50 })).toThrow(/nice/);
    }
  });

  test('of a program that is too large', () => {
    const tooLarge = { ...most, mounts: Array.from({ length: 4000 }, () => most.mounts![0]!) };
    const said = /^E2BIG: a program has at most 16384 instructions \(mounts\[\d{4}\]\)$/;
    for (let i = 0; i < 2; i++) expect(() => writerOf(tooLarge)).toThrow(said);
  });

  test('of what is large', () => {
    const large = ['x'.repeat(300_000)];
    const first = writerOf(most, large);
    expect(writerOf(most, large)).not.toBe(first);
  });

  test('of options that answer differently each time', async () => {
    let calls = 0;
    const options = {
      ...most,
      get hostname() {
        return `box${++calls}`;
      },
    };
    expect([1, 2, 3].map(() => /sethostname\("(.*?)"/.exec(list(writerOf(options)))![1])).toEqual([
      'box1',
      'box2',
      'box3',
    ]);
  });
});

describe('what else a program depends on is looked at each time', () => {
  test('and nothing is asked that nobody needs', () => {
    expect(taken('/bin/true', [], { stdio: 'ignore' }).request.facts).toHaveLength(1); // our environment
    expect(taken('/bin/true', [], { env: {} }).request.facts).toHaveLength(0);
  });

  test('our environment', () => {
    // In a process of its own: that of jest is a copy, which no child gets.
    const shown = evaluate(`
      const values = [];
      for (const value of ['one', 'another', 'x'.repeat(100_000), '', undefined]) {
        if (value === undefined) delete process.env.NSCLONE_TEST; else process.env.NSCLONE_TEST = value;
        const { stdout } = await nsclone.run('/bin/sh', ['-c', 'echo \${NSCLONE_TEST-unset}'], { timeout: slow(20_000) });
        values.push(stdout.length > 100 ? stdout.length : stdout.trim());
      }
      return values;`);
    expect(shown).toEqual(['one', 'another', 100_001, '', 'unset']);
  });

  test('our environment, where another object has taken its place', () => {
    const shown = evaluate(`
      const values = [];
      const look = async () => values.push((await nsclone.run('/bin/sh', ['-c', 'echo $NSCLONE_TEST'])).stdout.trim());
      process.env.NSCLONE_TEST = 'one';
      await look();
      const original = process.env;
      process.env = { ...process.env, NSCLONE_TEST: 'two' };
      await look();
      process.env = original;
      await look();
      return values;`);
    expect(shown).toEqual(['one', 'two', 'one']);
  });

  test('our environment, while a Worker that shares it changes it', () => {
    const codes = evaluate(`
      const { Worker, SHARE_ENV } = require('node:worker_threads');
      const worker = new Worker(
        'let i = 0; const turn = () => { process.env.NSCLONE_TEST = "x".repeat(++i % 300); setImmediate(turn); }; turn();',
        { eval: true, env: SHARE_ENV });
      await require('node:events').once(worker, 'online');
      const codes = new Set();
      for (let i = 0; i < 300; i++) {
        const child = await nsclone.clone('/bin/true', [], { stdio: 'ignore' }).catch((error) => ({ exited: error }));
        codes.add((await child.exited).code);
      }
      await worker.terminate();
      return [...codes];`);
    expect(codes).toEqual([0]);
  });

  test('our environment, which may be too large', () => {
    const code = evaluate(`
      process.env.NSCLONE_TEST = 'x'.repeat(70_000_000);
      return (await nsclone.clone('/bin/true').catch((error) => error)).code;`);
    expect(code).toBe('E2BIG');
  });

  withCapability('CAP_SETUID', 'our ids, but not for what a child that was started with others tells', () => {
    const told = evaluate(`
      const range = [{ containerID: 0, hostID: 100000, size: 65536 }];
      const options = { flags: nsclone.Flags.NEWUSER, uidMap: range, gidMap: range, hold: true, stdio: 'ignore' };
      const child = await nsclone.clone('/etc/passwd', [], { ...options, signal: new AbortController().signal });
      process.setegid(100000);
      process.seteuid(100000);
      const { code, step, syscall, path } = await child.start().catch((error) => error);
      return { code, step, syscall, path };`);
    expect(told).toEqual({ code: 'EACCES', step: 'command', syscall: 'execve', path: '/etc/passwd' });
  });

  test('PATH, for a command without a slash', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
    const { PATH } = process.env;
    try {
      symlinkSync('/bin/true', join(folder, 'nsclone-command'));
      process.env['PATH'] = '/bin';
      await expect(clone('nsclone-command')).rejects.toThrow(/ENOENT/);
      process.env['PATH'] = folder;
      expect((await (await clone('nsclone-command')).exited).code).toBe(0);
      process.env['PATH'] = '/bin';
      await expect(clone('nsclone-command')).rejects.toThrow(/ENOENT/);
    } finally {
      process.env['PATH'] = PATH;
      rmSync(folder, { recursive: true });
    }
  });

  // In a process of its own: Linux does not trace one whose ids have changed, nor does it let it write its own maps.
  withCapability('CAP_SETGID', 'our ids', () => {
    const maps = evaluate(`
      const options = { flags: nsclone.Flags.NEWUSER, gidMap: 'keep', setgroups: 'deny' };
      const shown = async () => (await nsclone.run('/bin/cat', ['/proc/self/gid_map'], options)).stdout.trim();
      const before = await shown();
      process.setegid(4321);
      return [before, await shown()].map((map) => map.split(/ +/).map(Number));`);
    const group = process.getegid!();
    expect(maps).toEqual([
      [group, group, 1],
      [4321, 4321, 1],
    ]);
  });

  test('our hard limits', () => {
    const limits = new HardLimits([constants.RLIMIT_MSGQUEUE]);
    expect(limits.holds()).toBe(true);
    const [hard] = limits.values;
    // No test of this process has a queue.
    const lower = hard === -1 ? 1_000_000 : hard! - 1;
    execFileSync('prlimit', ['--pid', String(process.pid), `--msgqueue=${lower}:${lower}`]);
    expect(limits.holds()).toBe(false);
  });
});

describe('a plan', () => {
  test('with another signal or timeout is the same program', async () => {
    const planned = plan('/bin/true', [], { stdio: 'ignore' });
    const before = contentOf(planned.writer);
    const { signal } = new AbortController();
    for (const options of [{ timeout: slow(20_000) }, { signal }, { stdio: 'ignore' } as const])
      expect((await (await clone(planned, options)).exited).code).toBe(0);
    expect(contentOf(planned.writer)).toEqual(before);
  });
});

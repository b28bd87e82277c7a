// Step `pty`: a terminal of its own as stdin, stdout and stderr, and as the controlling terminal of its session.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { clone, type CloneOptions, Flags, plan } from '../../lib';
import { rootOnly, userOnly, withCapability } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { isInForeground } from '../support/foreground';
import { owned } from '../support/inside';
import { leavesNothing, ourDescriptors } from '../support/leftovers';
import { emitted, linesOf, notesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { Seat } from '../support/seat';
import { slow, until } from '../support/slow';

leavesNothing();

const space = {
  ...owned(Flags.NEWPID | Flags.NEWNS),
  mounts: [{ type: 'proc', target: '/proc' }],
} satisfies CloneOptions;
/** With and without new ids, and with a pid 1 beside the program. */
const sorts: [string, CloneOptions][] = [
  ['in our namespaces', {}],
  ['in namespaces of its own', space],
  ['beside a pid 1', { ...space, init: true }],
];

describe('pty rejects', () => {
  test.each([1, 'yes', null, [], () => {}])('%p', (value) => {
    expect(planning({ pty: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'pty'));
  });
  test.each([0, -1, 65_536, 1.5])('a size of %p', (size) => {
    expect(planning({ pty: { columns: size } })).toThrow(refusal('ERR_OUT_OF_RANGE', 'pty.columns'));
    expect(planning({ pty: { rows: size } })).toThrow(refusal('ERR_OUT_OF_RANGE', 'pty.rows'));
  });
  test('a word that it does not know', () => {
    expect(planning({ pty: { cols: 80 } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'pty.cols', 'is unknown'));
  });
  test('stdio beside it', () => {
    for (const stdio of ['inherit', ['ignore'], []]) {
      expect(planning({ pty: true, stdio })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'pty', 'takes the place of stdio 0 to 2, so stdio cannot be given'),
      );
    }
    expect(planning({ pty: false, stdio: 'inherit' })).not.toThrow();
  });
  test('a process group beside it', () => {
    expect(planning({ pty: true, processGroup: 0 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'processGroup', 'cannot go with pty'),
    );
    expect(planning({ pty: true, detached: true })).not.toThrow();
  });
});

describe('pty emits', () => {
  test('nothing where it is not asked for', () => {
    expect(emitted('pty', {})).toEqual([]);
    expect(emitted('pty', { pty: false })).toEqual([]);
  });
  test('a session, and the terminal as its own', () => {
    expect(emitted('session', { pty: true })).toEqual(['pty: setsid()']);
    expect(emitted('pty', { pty: true }).at(-1)).toBe('pty: ioctl(0, TIOCSCTTY, 0)');
    expect(emitted('stdio', { pty: true })).toEqual(
      [0, 1, 2].map((number) => `stdio[${number}]: dup3(source[${number}], ${number}, 0)`),
    );
  });
  test('the owner that the program has inside', () => {
    expect(emitted('pty', { ...owned(0), pty: true })[0]).toBe('pty: fchown(0, 0, -1)  # EINVAL: go on');
    expect(emitted('pty', { ...owned(0), uidMap: 'keep', pty: true })[0]).toContain(`, ${process.geteuid!()}, -1)`);
    expect(emitted('pty', { pty: true, uid: 7 })[0]).toContain('fchown(0, 7, -1)');
  });
  const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const leftOut = { flags: Flags.NEWUSER, uidMap: range, gidMap: range, pty: true } as const;
  withCapability('CAP_CHOWN', 'from outside, where our own id has no place inside', () => {
    expect(emitted('pty', leftOut)).toEqual(['pty: fchown(0, 100000, -1)', 'pty: ioctl(0, TIOCSCTTY, 0)']);
    expect(emitted('pty', { ...leftOut, uid: 5 })[0]).toBe('pty: fchown(0, 100005, -1)');
    const steps = linesOf(plan('/bin/true', [], leftOut)).map(({ step }) => step);
    expect(steps.indexOf('pty')).toBeLessThan(steps.indexOf('user'));
  });
  userOnly('no owner without the right to it, and the plan says so', () => {
    expect(emitted('pty', leftOut)).toEqual(['pty: ioctl(0, TIOCSCTTY, 0)']);
    expect(notesOf(plan('/bin/true', [], leftOut))[0]).toMatch(/^the terminal stays ours: .* no CAP_CHOWN$/);
  });
  test('the foreground for the program beside a pid 1', () => {
    const lines = emitted('pty', { ...owned(Flags.NEWPID), init: true, pty: true });
    expect(lines.some((line) => line.includes('setpgid(0, 0)'))).toBe(true);
    expect(lines.at(-1)).toContain('TIOCSPGRP');
  });
});

describe.each(sorts)('pty, seen from inside, %s', (_, options) => {
  test('it is a terminal of the size asked for, on all three descriptors', async () => {
    const seat = await Seat.at(
      '/bin/sh',
      ['-c', 'for n in 0 1 2; do [ -t $n ] && echo $n; done; stty size; : < /dev/tty && echo own'],
      { ...options, pty: { columns: 100, rows: 30 } },
    );
    expect(await seat.end()).toEqual({ code: 0, signal: null });
    expect(seat.output).toBe('0\r\n1\r\n2\r\n30 100\r\nown\r\n');
  });

  test('80 columns and 24 rows where nothing is said', async () => {
    const seat = await Seat.at('stty', ['size'], options);
    await seat.end();
    expect(seat.output).toBe('24 80\r\n');
  });

  test('an interactive shell has job control', async () => {
    const seat = await Seat.at('/bin/sh', ['-i'], options);
    await seat.sees('> ');
    expect(seat.output).not.toContain('job control');
    seat.type('sleep 100 &\n');
    await seat.sees('\n> ');
    seat.type('jobs\n');
    expect(await seat.sees('\n> ')).toMatch(/Running/);
    seat.type('fg\n');
    await seat.sees('sleep 100');
    await until(() => isInForeground('sleep', seat.child.pid));
    seat.type('\x1a');
    expect(await seat.sees('\n> ')).toMatch(/Stopped/);
    seat.type('kill %1; fg; echo status $?\n');
    await seat.sees(/status \d+\r/);
    seat.type('exit 4\n');
    expect(await seat.end()).toEqual({ code: 4, signal: null });
  });

  test('Ctrl-C reaches the foreground, once, and not the shell', async () => {
    const seat = await Seat.at('/bin/sh', ['-i'], options);
    await seat.sees('> ');
    seat.type(
      `sh -c 'n=0; trap "n=\\$((n+1))" INT; echo rea""dy; while [ $n = 0 ]; do sleep 0.01; done; sleep 0.1; echo count $n'\n`,
    );
    await seat.sees('ready');
    seat.type('\x03');
    await seat.sees('count 1');
    await seat.sees('> ');
    seat.type('exit\n');
    expect(await seat.end()).toMatchObject({ signal: null });
  });

  test('Ctrl-C reaches a program without a shell once', async () => {
    // A shell would count two signals in a row as one.
    const script = `let n = 0; const waiting = setInterval(() => {}, 1000);
      process.on('SIGINT', () => { if (++n === 1) setTimeout(() => { console.log('count ' + n); clearInterval(waiting); }, ${slow(200)}); });
      console.log('ready');`;
    const seat = await Seat.at(process.execPath, ['-e', script], options);
    await seat.sees('ready');
    seat.type('\x03');
    await seat.sees('count 1');
    expect(await seat.end()).toEqual({ code: 0, signal: null });
  });

  test('resize() brings SIGWINCH and the new size', async () => {
    const seat = await Seat.at(
      '/bin/sh',
      ['-c', "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.01; done"],
      options,
    );
    await seat.sees('ready');
    seat.child.pty!.resize(132, 43);
    await seat.sees('43 132');
    expect(await seat.end()).toEqual({ code: 0, signal: null });
  });

  test('closing our end hangs up', async () => {
    // A pid 1 without a handler gets no SIGHUP, but its terminal is at its end.
    const isPidOne = options === space;
    const seat = await Seat.at('/bin/sh', ['-c', `echo ready; exec ${isPidOne ? 'cat' : 'sleep 100'}`], options);
    await seat.sees('ready');
    seat.child.pty!.destroy();
    const end = await seat.end();
    if (isPidOne) expect(end.signal).toBeNull();
    else expect(end).toEqual({ code: null, signal: 'SIGHUP' });
  });

  test('end() types Ctrl-D', async () => {
    const seat = await Seat.at('/bin/cat', [], options);
    seat.type('line\n');
    await seat.sees('line\r\nline\r\n');
    seat.child.pty!.end();
    expect(await seat.end()).toEqual({ code: 0, signal: null });
  });
});

describe('pty', () => {
  test('stdin, stdout and stderr are null, and there is no pty without it', async () => {
    const child = await clone('/bin/true', { pty: true });
    expect([child.stdin, child.stdout, child.stderr]).toEqual([null, null, null]);
    expect(child.stdio.slice(0, 3)).toEqual([null, null, null]);
    expect(child.pty).toBe(child.pty);
    await once(child, 'close');
    const plain = await clone('/bin/true');
    expect(plain.pty).toBeNull();
    await once(plain, 'close');
  });

  test('one that nobody touches is closed when the program ends, and keeps what was written', async () => {
    const child = await clone('/bin/sh', ['-c', 'stty -opost; seq 1 2000'], { pty: true });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(ourDescriptors().filter((descriptor) => descriptor.endsWith('ptmx'))).toEqual([]);
    const { pty } = child;
    let output = '';
    for await (const chunk of pty) output += String(chunk);
    expect(output).toBe(Array.from({ length: 2000 }, (_, index) => `${index + 1}\n`).join(''));
    expect([pty.writable, child.pty]).toEqual([false, pty]);
  });

  test('one that was touched keeps it too', async () => {
    const child = await clone('/bin/sh', ['-c', 'echo unread'], { pty: true });
    const { pty } = child;
    expect(await once(child, 'close')).toEqual([0, null]);
    let output = '';
    for await (const chunk of pty) output += String(chunk);
    expect(output).toBe('unread\r\n');
  });

  test("the end of the program is end-of-file, not an error (the kernel's EIO)", async () => {
    const child = await clone('/bin/sh', ['-c', 'echo last words'], { pty: true });
    let output = '';
    for await (const chunk of child.pty) output += String(chunk);
    expect(output).toBe('last words\r\n');
    expect(await child.exited).toMatchObject({ code: 0 });
  });

  test('much output arrives whole, however slowly it is read', async () => {
    for (let i = 0; i < 20; i++) {
      const child = await clone('/bin/sh', ['-c', 'stty -opost; seq 1 20000'], { pty: true });
      let output = '';
      for await (const chunk of child.pty) {
        output += String(chunk);
        if (i % 2 === 0 && output.length < 5000) await sleep(2);
      }
      const lines = output.trimEnd().split('\n');
      expect([lines.length, lines.at(-1)]).toEqual([20_000, '20000']);
    }
  });

  test('a big paste that the program does not read blocks neither the event loop nor the thread pool', async () => {
    const children = await Promise.all(Array.from({ length: 6 }, () => clone('/bin/sleep', ['100'], { pty: true })));
    const failures: unknown[] = [];
    for (const { pty } of children) {
      pty.on('error', (error) => failures.push(error)).resume();
      pty.write('0123456789\n'.repeat(100_000));
    }
    let longest = 0;
    let last = performance.now();
    for (let i = 0; i < 40; i++) {
      await sleep(5);
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    // A write that blocks does so until somebody reads.
    expect(longest).toBeLessThan(slow(15_000));
    await readFile('/dev/null');
    expect(children.every(({ pty }) => pty.writableLength > 500_000)).toBe(true);
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map((child) => once(child, 'close')));
    expect(failures).toEqual(children.map(() => expect.objectContaining({ code: 'EIO', option: 'pty' })));
  });

  test('a big paste that the program reads arrives whole', async () => {
    const seat = await Seat.at('/bin/sh', ['-c', 'stty raw -echo; echo ready; head -c 300000 | cksum']);
    await seat.sees('ready');
    const paste = Buffer.alloc(300_000, '0123456789abcdef\n');
    seat.child.pty!.write(paste);
    await seat.sees(/\d+ 300000\b/);
    expect(await seat.end()).toEqual({ code: 0, signal: null });
  });

  test('what is written after the end has an error', async () => {
    const child = await clone('/bin/true', { pty: true });
    const { pty } = child;
    pty.resume();
    await once(child, 'close');
    const error = await new Promise((resolve) => pty.write('x', resolve));
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_STREAM_/) });
    expect(() => pty.resize(1, 1)).not.toThrow();
  });

  test('resize() refuses sizes that no window has', async () => {
    const child = await clone('/bin/sleep', ['100'], { pty: true });
    for (const [columns, rows] of [
      [0, 1],
      [1, 0],
      [65_536, 1],
      [1.5, 1],
    ] as const) {
      expect(() => child.pty.resize(columns, rows)).toThrow(RangeError);
    }
    child.kill('SIGKILL');
    await once(child, 'close');
  });

  test('the program may open its terminal by path, whoever it is', async () => {
    const other = process.geteuid!() === 0 ? { uid: 1000, gid: 1000 } : owned(0);
    const seat = await Seat.at('/bin/sh', ['-c', 'echo by path > "$(tty)"'], other);
    expect(await seat.end()).toEqual({ code: 0, signal: null });
    expect(seat.output).toBe('by path\r\n');
  });

  rootOnly('also where our own id has no place in its user namespace', async () => {
    const range = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    for (const ids of [{}, { uid: 5, gid: 5 }]) {
      const options = { flags: Flags.NEWUSER, uidMap: range, gidMap: range, ...ids };
      const seat = await Seat.at('/bin/sh', ['-c', 'echo by path > "$(tty)"; echo too > /dev/stderr'], options);
      expect(await seat.end()).toEqual({ code: 0, signal: null });
      expect(seat.output).toBe('by path\r\ntoo\r\n');
    }
  });

  test('the child has no descriptor of ours, and we none of it', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const child = await clone('/bin/sh', ['-c', 'echo ready; read -r line'], { pty: true });
    // The loader has opened and closed libraries by then.
    await once(child.pty, 'data');
    expect(readdirSync(`/proc/${child.pid}/fd`).toSorted()).toEqual(['0', '1', '2']);
    // Our end, the pidfd and the memory file of the child, which goes back into the pool.
    expect(readdirSync('/proc/self/fd').length - before).toBeLessThanOrEqual(4);
    expect(readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(2, 4)).toEqual([
      String(child.pid),
      String(child.pid),
    ]);
    child.kill('SIGKILL');
    await once(child, 'close');
  });
});

describe('pty reports', () => {
  test('a terminal that cannot become the controlling one', async () => {
    const error = await failAt({ pty: true }, ({ call }) => call.includes('TIOCSCTTY'), 'EPERM');
    expect(fieldsOf(error)).toMatchObject({ code: 'EPERM', syscall: 'ioctl', step: 'pty', option: 'pty' });
  });
  test('a session that cannot be', async () => {
    const error = await failAt({ pty: true }, calls('setsid'), 'EPERM');
    expect(fieldsOf(error)).toMatchObject({ code: 'EPERM', syscall: 'setsid', step: 'session', option: 'pty' });
  });
  test('a foreground that is refused', async () => {
    const options = { ...owned(Flags.NEWPID), init: true, pty: true };
    const error = await failAt(options, ({ call }) => call.includes('TIOCSPGRP'), 'EPERM');
    expect(fieldsOf(error)).toMatchObject({ code: 'EPERM', syscall: 'ioctl', step: 'pty', option: 'pty' });
  });
  test('an owner that has no place inside is told by the step that sets it', async () => {
    await expect(failAt({ ...owned(0), pty: true }, calls('fchown'), 'EINVAL')).rejects.toThrow('the child started');
  });
  test('an owner that cannot be set', async () => {
    const error = await failAt({ ...owned(0), pty: true }, calls('fchown'), 'EROFS');
    expect(fieldsOf(error)).toMatchObject({ code: 'EROFS', syscall: 'fchown', step: 'pty' });
  });
});

// Steps of the option `foreground`: the inherited terminal is the child's.
import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, perform, plan, record } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { type FreeTerminal, freeTerminal } from '../support/free-terminal';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { root } from '../support/own-process';
import { planning, refusal } from '../support/refusal';
import { Seat } from '../support/seat';
import { until } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

// Before it is looked for.
const opened: number[] = [];
afterEach(() => {
  for (const descriptor of opened.splice(0)) closeSync(descriptor);
});

leavesNothing();

const folder = temporaryFolder();

const { NEWNS, NEWPID } = Flags;

const space = {
  ...owned(NEWPID | NEWNS),
  mounts: [{ type: 'proc', target: '/proc' }],
} satisfies CloneOptions;
const sorts: [string, CloneOptions][] = [
  ['in our namespaces', {}],
  ['in namespaces of its own', space],
  ['beside a pid 1', { ...space, init: true }],
];

const asked = { processGroup: 0, foreground: true } as const;

/** What a Node at a terminal has: `start()` gives a shell the foreground, `ours()` tells who has it, `typed()` reads a line. */
const tools = `
  const { clone, constants, Flags } = require(${JSON.stringify(root)});
  const { until } = require(${JSON.stringify(join(root, 'test/support/slow.js'))});
  const { readFileSync, readSync } = require('node:fs');
  const given = { stdio: 'inherit', processGroup: 0, foreground: true };
  const start = (script, options) => clone('/bin/sh', ['-c', script], { ...given, ...options });
  const stat = (pid) => readFileSync('/proc/' + pid + '/stat', 'utf8').split(') ').at(-1).split(' ');
  const [, , group] = stat('self');
  const holder = () => Number(stat('self')[5]);
  const ours = () => (holder() === Number(group) ? 'ours' : 'not ours');
  const typed = () => { const bytes = Buffer.alloc(100); return bytes.toString('utf8', 0, readSync(0, bytes)).trim(); };
  process.on('SIGINT', () => console.log('interrupted us'));
`;

/** A Node at a terminal, with a script. */
function node(script: string, options: object = {}): Promise<Seat> {
  const source = `${tools} const options = ${JSON.stringify(options)}; (async () => { ${script} })().catch((error) => { console.log(error); process.exit(70); });`;
  return Seat.at(process.execPath, ['-e', source]);
}

async function ends(seat: Seat): Promise<void> {
  expect(await seat.end()).toEqual({ code: 0, signal: null });
}

describe('foreground rejects', () => {
  test.each(['true', 1, null, {}])('%p', (foreground) => {
    expect(planning({ foreground })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'foreground'));
  });
  test('the group of somebody else', () => {
    for (const options of [{}, { processGroup: 5 }, { detached: false }]) {
      expect(planning({ stdio: 'inherit', foreground: true, ...options })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'foreground', 'needs processGroup: 0, or detached'),
      );
    }
    expect(planning({ stdio: 'inherit', foreground: false })).not.toThrow();
  });
  test('a child that inherits nothing', () => {
    for (const stdio of [undefined, 'pipe', 'ignore', ['ignore', 'pipe', 'pipe']]) {
      expect(planning({ ...asked, stdio })).toThrow(
        refusal('ERR_INVALID_ARG_VALUE', 'foreground', "an entry that is 'inherit', or a descriptor of ours"),
      );
    }
    expect(planning({ ...asked, stdio: ['ignore', 'pipe', 2] })).not.toThrow();
  });
  test('a child that outlives us, who would have to give it', () => {
    const hold = { fd: 30 };
    expect(planning({ ...asked, stdio: 'inherit', hold })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'foreground', 'cannot go with hold: { fd } unless detached'),
    );
    expect(planning({ foreground: true, detached: true, stdio: 'inherit', hold })).not.toThrow();
  });
  test('one that has a terminal of its own', () => {
    expect(planning({ foreground: true, pty: true, detached: true })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'foreground', 'cannot go with pty'),
    );
  });
});

describe('foreground emits', () => {
  const steps = (options: CloneOptions): string[] =>
    linesOf(plan('/bin/true', [], { stdio: 'inherit', ...options })).map(({ step }) => step);

  test('nothing where it is not asked for', () => {
    expect(steps({ processGroup: 0 }).filter((step) => step.includes('foreground'))).toEqual([]);
  });
  test('a stop for us to give it, right before the end of the set-up', () => {
    expect(emitted('foreground', { stdio: 'inherit', ...asked })).toEqual([
      'foreground: wait for the parent, which gives it the foreground of our terminal',
    ]);
    const all = steps({ ...asked, hold: true });
    expect(all.indexOf('foreground')).toBe(all.indexOf('parentDeathSignal') - 1);
    expect(all.indexOf('hold')).toBeLessThan(all.indexOf('foreground'));
  });
  test('before the program is made that runs beside a pid 1', () => {
    const all = steps({ ...space, ...asked, init: true });
    expect(all.indexOf('foreground')).toBeGreaterThan(0);
    expect(all.indexOf('foreground')).toBeLessThan(all.indexOf('init'));
  });
  test('for a session of its own the first of what it inherits that is a terminal', () => {
    expect(
      emitted('controlling terminal', { stdio: ['inherit', 'pipe', 'inherit'], detached: true, foreground: true }),
    ).toEqual([
      expect.stringMatching(/^foreground: ioctl\(0, TIOCSCTTY, 0\) {2}# ENOTTY: go to \d+$/),
      expect.stringMatching(/^foreground: close\(-1\) {2}# EBADF: go to \d+$/),
      'foreground: ioctl(2, TIOCSCTTY, 0)',
    ]);
  });
});

describe.each(sorts)('a child in the foreground, %s', (_, options) => {
  test('has it, and reads what is typed; then it is ours, and we read', async () => {
    const seat = await node(
      `console.log('before', ours());
       const child = await start('read -r line; echo "child read $line"; test "$(ps -o tpgid= -p $$)" -eq "$(ps -o pgid= -p $$)" && echo mine', options);
       console.log('during', ours(), holder() === child.pid);
       await child.exited;
       console.log('after', ours());
       console.log('we read', typed());`,
      options,
    );
    await seat.sees('before ours');
    await seat.sees('during not ours true');
    seat.type('one\n');
    await seat.sees('child read one');
    await seat.sees('mine');
    await seat.sees('after ours');
    seat.type('two\n');
    await seat.sees('we read two');
    await ends(seat);
  });

  test('alone gets Ctrl-C, once', async () => {
    const seat = await node(
      `const child = await start('n=0; trap "n=\\$((n+1))" INT; echo rea""dy; while [ $n = 0 ]; do sleep 0.01; done; sleep 0.1; echo count $n; exit 3', options);
       console.log('code', (await child.exited).code);`,
      options,
    );
    await seat.sees('ready');
    seat.type('\x03');
    await seat.sees('count 1');
    await seat.sees('code 3');
    await ends(seat);
    expect(seat.output).not.toContain('interrupted us');
  });

  test('is refused where another child is there, and not after its end', async () => {
    const seat = await node(
      `const first = await start('read -r line', options);
       const error = await start('true', options).catch((reason) => reason);
       console.log(error.code, error.step, error.option, '|', error.hint);
       console.log('first', holder() === first.pid);
       first.kill('SIGKILL');
       console.log((await first.exited).signal, ours());
       const second = await start('echo second; exit 4', options);
       console.log('code', (await second.exited).code, ours());`,
      options,
    );
    await seat.sees(
      'EBUSY foreground foreground | we are in the background ourselves, or another child is in the foreground',
    );
    await seat.sees('first true');
    await seat.sees('SIGKILL ours');
    await seat.sees('second');
    await seat.sees('code 4 ours');
    await ends(seat);
  });

  test('gives it back where it never starts', async () => {
    const seat = await node(
      `const error = await clone('/no/such', { ...given, ...options }).catch((reason) => reason);
       console.log(error.code, ours());`,
      options,
    );
    await seat.sees('ENOENT ours');
    await ends(seat);
  });

  test('has it from its start on, and not while it is held', async () => {
    const seat = await node(
      `const child = await start('echo started; read -r line', { ...options, hold: true });
       console.log('held', ours());
       await child.start();
       console.log('during', ours());
       await child.exited;
       console.log('after', ours());`,
      options,
    );
    await seat.sees('held ours');
    await seat.sees('started');
    seat.type('\n');
    await seat.sees('after ours');
    await ends(seat);
  });
});

// They fork nothing: a parent that waits in vfork(2) for what is stopped does not stop itself.
describe('a child that Ctrl-Z has stopped', () => {
  test('gives the foreground back, and has it again when we let it go on', async () => {
    const seat = await node(
      `const child = await start('echo ready; read -r line; echo "read $line"; read -r line; echo "read $line"');
       for (const name of ['once', 'twice']) {
         await until(() => stat(child.pid)[0] === 'T' && ours() === 'ours');
         console.log('stopped', name);
         console.log('we read', typed());
         child.kill('SIGCONT');
         console.log('goes on', holder() === child.pid);
       }
       await child.exited;
       console.log('after', ours(), process.listenerCount('SIGCHLD'));`,
    );
    await seat.sees('ready');
    for (const name of ['once', 'twice']) {
      seat.type('\x1a');
      await seat.sees(`stopped ${name}`);
      seat.type(`${name}\n`);
      await seat.sees(`we read ${name}`);
      await seat.sees('goes on true');
      seat.type(`line ${name}\n`);
      await seat.sees(`read line ${name}`);
    }
    await seat.sees('after ours');
    await ends(seat);
  });

  test('ends with us, when Ctrl-C ends us', async () => {
    const seat = await node(
      `process.removeAllListeners('SIGINT');
       const child = await start('echo ready; exec sleep 100');
       await until(() => ours() === 'ours');
       console.log('back', child.pid, '.');
       setInterval(() => {}, 1000);`,
    );
    await seat.sees('ready');
    seat.type('\x1a');
    const [, pid] = /back (\d+) \./.exec(await seat.sees(/back (\d+) \./))!;
    seat.type('\x03');
    expect(await seat.child.exited).toMatchObject({ signal: 'SIGINT' });
    await until(() => !existsSync(`/proc/${pid}`));
    await seat.end();
  });

  test('is in the background where somebody else lets it go on', async () => {
    const seat = await node(
      `const child = await start('echo ready; exec sleep 100');
       await until(() => stat(child.pid)[0] === 'T' && ours() === 'ours');
       process.kill(child.pid, 'SIGCONT');
       await until(() => stat(child.pid)[0] !== 'T');
       console.log('goes on', ours());
       child.kill('SIGKILL');
       await child.exited;
       console.log('after', ours());`,
    );
    await seat.sees('ready');
    seat.type('\x1a');
    await seat.sees('goes on ours');
    await seat.sees('after ours');
    await ends(seat);
  });

  test('gives it back at its end also where it has taken it by itself, let go on by somebody else', async () => {
    const seat = await node(
      `const SIGTTOU = 1 << 21;
       const takeIt = (c) => {
         c.syscall('rt_sigprocmask', 0, Buffer.from(Uint32Array.of(SIGTTOU, 0).buffer), null, 8);
         const pid = c.getpid();
         c.syscall('kill', pid, 19);
         c.ioctl(0, constants.TIOCSPGRP, c.memory([{ u32: pid }]));
       };
       const starting = start('echo tak""en', { steps: [{ at: 'filtered', run: takeIt }] });
       const [pid] = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').split(' ').map(Number);
       await until(() => stat(pid)[0] === 'T' && ours() === 'ours');
       console.log('stopped');
       process.kill(pid, 'SIGCONT');
       const child = await starting;
       await child.exited;
       console.log('after', child.pid === pid, ours());`,
    );
    await seat.sees('stopped');
    await seat.sees('taken');
    await seat.sees('after true ours');
    await ends(seat);
  });

  test('keeps it beside a pid 1, which goes on', async () => {
    const options = { ...space, init: true };
    const seat = await node(
      `const child = await start('echo ready; read -r line; echo "read $line"', options);
       const program = () => readFileSync('/proc/' + child.pid + '/task/' + child.pid + '/children', 'utf8').trim();
       await until(() => stat(program())[0] === 'T');
       console.log('stopped', holder() === child.pid);
       child.kill('SIGCONT');
       await child.exited;
       console.log('after', ours());`,
      options,
    );
    await seat.sees('ready');
    seat.type('\x1a');
    await seat.sees('stopped true');
    seat.type('line\n');
    await seat.sees('read line');
    await seat.sees('after ours');
    await ends(seat);
  });
});

describe('the foreground', () => {
  test('is what a group of its own needs to read: without it the child stops', async () => {
    const seat = await node(
      `const child = await start('read -r line; echo "read $line"', { foreground: false });
       await until(() => stat(child.pid)[0] === 'T');
       console.log('stopped', ours());
       child.kill('SIGKILL');
       await child.exited;`,
    );
    await seat.sees('stopped ours');
    await ends(seat);
  });

  test('is taken back from whoever the child has given it to', async () => {
    const seat = await node(
      `const child = await clone('/bin/sh', ['-m', '-c', 'sleep 100; true'], given);
       await until(() => ![child.pid, Number(group)].includes(holder()));
       const other = holder();
       child.kill('SIGKILL');
       await child.exited;
       console.log('after', ours());
       process.kill(-other, 'SIGKILL');`,
    );
    await seat.sees('after ours');
    await ends(seat);
  });

  test('is not taken from the shell that has stopped us meanwhile', async () => {
    const seat = await Seat.at('/bin/sh', ['-i']);
    await seat.sees('> ');
    const script = `${tools}(async () => {
      const child = await start('while :; do sleep 0.01; done');
      console.log('pids', process.pid, child.pid, '.');
      await child.exited;
      console.log('we go on', ours());
    })();`;
    const file = join(folder.path, 'script.js');
    writeFileSync(file, script);
    seat.type(`'${process.execPath}' ${file}\n`);
    const [, ours, theirs] = /pids (\d+) (\d+) \./.exec(await seat.sees(/pids (\d+) (\d+) \./))!.map(Number);
    process.kill(ours!, 'SIGSTOP');
    await seat.sees('Stopped');
    await seat.sees('> ');
    process.kill(theirs!, 'SIGKILL');
    seat.type('bg\n');
    await seat.sees('we go on not ours');
    seat.type('echo still $((40+2))\n');
    await seat.sees('still 42');
    seat.type('exit\n');
    await ends(seat);
  });

  test('comes back from a child of a Worker that is terminated', async () => {
    const seat = await node(
      `const { Worker } = require('node:worker_threads');
       const worker = new Worker(\`const { clone } = require(${JSON.stringify(root)});
         clone('/bin/sleep', ['100'], { stdio: 'inherit', processGroup: 0, foreground: true })
           .then(() => require('node:worker_threads').parentPort.postMessage('started'));\`, { eval: true });
       await new Promise((resolve) => worker.once('message', resolve));
       console.log('during', ours());
       await worker.terminate();
       // Whoever looks next reaps what a Worker has left.
       await until(async () => { await (await clone('/bin/true', { stdio: 'ignore' })).exited; return ours() === 'ours'; });
       console.log('after', ours());`,
    );
    await seat.sees('during not ours');
    await seat.sees('after ours');
    await ends(seat);
  });

  test('is that of the terminal that the child has, whatever our descriptor is of by then', async () => {
    const seat = await node(
      `const { closeSync, openSync } = require('node:fs');
       const terminal = openSync('/dev/tty', 'r+');
       const stdio = [terminal, 'ignore', 'ignore'];
       const starting = start('read -r line', { stdio });
       closeSync(terminal);
       const child = await starting;
       console.log('during', holder() === child.pid);
       await child.exited;
       const again = openSync('/dev/tty', 'r+');
       const held = await start('read -r line', { stdio: [again, 'ignore', 'ignore'], hold: true });
       closeSync(again);
       console.log('another', openSync('/dev/null', 'r') === again, ours());
       await held.start();
       console.log('during', holder() === held.pid);
       await held.exited;
       console.log('after', ours());`,
    );
    for (const name of ['another true ours', 'after ours']) {
      await seat.sees('during true');
      seat.type('\n');
      await seat.sees(name);
    }
    await ends(seat);
  });

  test('comes back where our own descriptor of the terminal is closed by then', async () => {
    const seat = await node(
      `const terminal = require('node:fs').openSync('/dev/tty', 'r+');
       const child = await start('read -r line', { stdio: [terminal, 'ignore', 'ignore'] });
       require('node:fs').closeSync(terminal);
       console.log('during', ours());
       await child.exited;
       console.log('after', ours());`,
    );
    await seat.sees('during not ours');
    seat.type('\n');
    await seat.sees('after ours');
    await ends(seat);
  });

  test('stays with the child where we end first', async () => {
    const seat = await Seat.at('/bin/sh', [
      '-c',
      `'${process.execPath}' -e "$0"; echo; cat /proc/$$/stat; exec sleep 100`,
      `${tools}
      start('echo ready; while :; do sleep 0.01; done').then((child) => { console.log('child', child.pid, '.'); process.exit(); });`,
    ]);
    const pid = Number(/child (\d+) \./.exec(await seat.sees(/child (\d+) \./))![1]);
    // A shell that has job control takes it from here on; this one has none.
    const fields = await seat.sees(/\) [RS] (?:-?\d+ ){6}/);
    expect(fields.trimEnd().split(' ').at(-2)).toBe(String(pid));
    process.kill(pid, 'SIGKILL');
    seat.child.kill('SIGKILL');
    await seat.end();
  });
});

function openTerminal(): FreeTerminal {
  const terminal = freeTerminal();
  opened.push(terminal.ours, terminal.theirs);
  return terminal;
}

/** What is there to be read. */
function readNow(descriptor: number): string {
  const bytes = Buffer.alloc(1000);
  try {
    return bytes.toString('latin1', 0, readSync(descriptor, bytes));
  } catch {
    return '';
  }
}

describe('a session of its own in the foreground', () => {
  test.each(sorts)('of a terminal that controls none yet, one after the other, %s', async (_, options) => {
    const { ours, theirs } = openTerminal();
    for (const name of ['first', 'second']) {
      const child = await clone(
        '/bin/sh',
        [
          '-c',
          `: < /dev/tty && echo ${name}; test "$(ps -o tpgid= -p $$)" -eq "$(ps -o pgid= -p $$)" && echo mine; read -r line; echo "read $line"`,
        ],
        { ...options, stdio: [theirs, theirs, theirs], detached: true, foreground: true },
      );
      perform(record((c) => c.write(ours, 'hello\n')));
      expect(await child.exited).toMatchObject({ code: 0 });
      let text = '';
      await until(() => (text += readNow(ours)).includes('read hello\r\n'));
      for (const part of [`${name}\r\n`, 'mine\r\n', 'read hello\r\n']) expect(text).toContain(part);
    }
  });

  test('cannot have that which controls ours', async () => {
    const seat = await node(
      `const error = await clone('/bin/true', { stdio: 'inherit', detached: true, foreground: true }).catch((reason) => reason);
       console.log(error.code, error.step, error.option, '|', error.hint, ours());`,
    );
    await seat.sees('EPERM controlling terminal foreground | it controls another session');
    await seat.sees('processGroup: 0 in the place of detached ours');
    await ends(seat);
  });
});

describe('foreground reports', () => {
  const file = (): number => {
    const descriptor = openSync('/dev/null', 'r+');
    opened.push(descriptor);
    return descriptor;
  };

  test('what is no terminal', async () => {
    const stdio = ['ignore', file(), file()] as const;
    await expect(clone('/bin/true', { ...asked, stdio })).rejects.toMatchObject({
      code: 'ENOTTY',
      syscall: 'ioctl',
      step: 'foreground',
      option: 'foreground',
      hint: 'nothing that it inherits by stdio is the terminal that controls our session',
    });
    await expect(clone('/bin/true', { detached: true, foreground: true, stdio })).rejects.toMatchObject({
      code: 'ENOTTY',
      step: 'controlling terminal',
      hint: 'nothing that it inherits by stdio is a terminal',
    });
  });
  test('a terminal that controls another session, or none', async () => {
    const { theirs } = openTerminal();
    await expect(clone('/bin/true', { ...asked, stdio: [theirs, 'ignore', 'ignore'] })).rejects.toMatchObject({
      code: 'ENOTTY',
    });
  });
  test('that we are in the background', async () => {
    const seat = await Seat.at('/bin/sh', [
      '-m',
      '-c',
      `'${process.execPath}' -e "$0" & wait`,
      `${tools}
      start('true').catch((error) => console.log(error.code, error.hint));`,
    ]);
    await seat.sees('EBUSY we are in the background ourselves');
    await ends(seat);
  });
  test('a child that is killed while it waits for it', async () => {
    const error = await failAt({ ...asked, stdio: [file(), 'ignore', 'ignore'] }, calls('wait for the parent'), -1);
    expect(fieldsOf(error)).toMatchObject({ code: 'ECHILD', step: 'foreground', option: 'foreground' });
  });
});

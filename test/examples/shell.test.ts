// The example `shell`, used as a person would: over a terminal, which is one of ours.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { clone, type ClonedProcess, Flags } from '../../lib';
import { isInForeground } from '../support/foreground';
import { slow, until } from '../support/slow';
import { buildExamples, example } from './built';

const shells = new Set<ClonedProcess>();

beforeAll(buildExamples);

// Of tests that have failed.
afterEach(() => {
  for (const shell of shells) shell.kill('SIGKILL');
  shells.clear();
});

const prompt = '$ ';

/** A person at the outer terminal. */
class Seat {
  readonly shell: ClonedProcess;
  readonly #reading: Promise<void>;
  output = '';

  constructor(shell: ClonedProcess) {
    this.shell = shell;
    shells.add(shell);
    // Our own hang-up is an error of the stream.
    this.#reading = this.#read().catch(() => {});
  }

  static async at(...args: string[]): Promise<Seat> {
    const env = { ...process.env, TERM: 'xterm', ENV: '' };
    return new Seat(
      await clone(process.execPath, [example('shell'), ...args], { pty: { columns: 90, rows: 28 }, env }),
    );
  }

  async #read(): Promise<void> {
    // The raw mode of Node still makes \r\n of each \n, also of those that have their \r already.
    for await (const chunk of this.shell.pty!) this.output = (this.output + String(chunk)).replaceAll('\r\r\n', '\r\n');
  }

  type(text: string): void {
    this.shell.pty!.write(text);
  }

  /** Waits for a text and takes all up to it. */
  async sees(text: string): Promise<string> {
    for (const end = performance.now() + slow(10_000); performance.now() < end; await sleep(2)) {
      const found = this.output.indexOf(text);
      if (found < 0) continue;
      const taken = this.output.slice(0, found + text.length);
      this.output = this.output.slice(found + text.length);
      return taken;
    }
    throw new Error(`${text} did not appear: ${JSON.stringify(this.output)}`);
  }

  /** Types a command and returns what it printed. */
  async says(command: string): Promise<string> {
    this.type(`${command}\n`);
    await this.sees(`${command}\r\n`);
    return (await this.sees(prompt)).slice(0, -prompt.length).trimEnd();
  }

  async end(): Promise<number | null> {
    const { code } = await this.shell.exited;
    await this.#reading;
    return code;
  }
}

test('an interactive shell is root in its own namespaces', async () => {
  const seat = await Seat.at();
  await seat.sees(prompt);
  expect(await seat.says('id -u; hostname; echo $$')).toBe('0\r\nbox\r\n2');
  expect(await seat.says('tty; stty size')).toMatch(/^\/dev\/pts\/\d+\r\n28 90$/);
  seat.type('exit 3\n');
  expect(await seat.end()).toBe(3);
});

test('a full-screen program works', async () => {
  const seat = await Seat.at();
  await seat.sees(prompt);
  seat.type('top\n');
  await seat.sees('Tasks:');
  await seat.sees('COMMAND');
  await until(() => isInForeground('top', seat.shell.pid));
  seat.type('q');
  await seat.sees(prompt);
  expect(await seat.says('top -b -n1 | grep -c PID; echo $?')).toBe('1\r\n0');
  seat.type('exit\n');
  expect(await seat.end()).toBe(0);
});

test('Ctrl-C is for what runs in the shell', async () => {
  const seat = await Seat.at();
  await seat.sees(prompt);
  seat.type('sleep 100\n');
  await seat.sees('sleep 100\r\n');
  await until(() => isInForeground('sleep', seat.shell.pid));
  seat.type('\x03');
  await seat.sees(prompt);
  expect(await seat.says('echo $?')).toBe('130');
  // Ctrl-D
  seat.type('\x04');
  expect(await seat.end()).toBe(0);
});

test('a new size of the window goes through', async () => {
  const seat = await Seat.at();
  await seat.sees(prompt);
  seat.shell.pty!.resize(121, 33);
  await until(async () => (await seat.says('stty size')) === '33 121');
  seat.type('exit\n');
  expect(await seat.end()).toBe(0);
});

test('our terminal is as before when it ends', async () => {
  const script = `stty -a > /dev/null; before=$(stty -g); '${process.execPath}' '${example('shell')}' true
    [ "$(stty -g)" = "$before" ] && echo same`;
  const shell = await clone('/bin/sh', ['-c', script], { pty: true });
  let output = '';
  for await (const chunk of shell.pty) output += String(chunk);
  expect(output).toBe('same\r\n');
});

test('a hang-up ends it and all in it', async () => {
  // Another run of the tests has another number.
  const seconds = 1_000_000 + process.pid;
  const seat = await Seat.at();
  await seat.sees(prompt);
  expect(await seat.says(`sleep ${seconds} & echo`)).toBeDefined();
  const isThere = (): boolean =>
    readdirSync('/proc').some((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8') === `sleep\0${seconds}\0`;
      } catch {
        return false;
      }
    });
  // It is a copy of the shell for a moment.
  await until(isThere);
  seat.shell.pty!.destroy();
  await seat.shell.exited;
  await until(() => !isThere());
});

test('without a terminal it reads commands', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [example('shell')], {
    encoding: 'utf8',
    input: 'hostname\nexit 6\n',
    timeout: slow(20_000),
  });
  expect({ status, stderr }).toEqual({ status: 6, stderr: '' });
  expect(stdout).toContain('box\r\n');
});

test('a host that forbids user namespaces is told of in one line', async () => {
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$1"';
  const child = await clone('/bin/sh', ['-c', script, process.execPath, example('shell')], {
    flags: Flags.NEWUSER,
    uidMap: 'root',
    gidMap: 'root',
  });
  let problems = '';
  for await (const chunk of child.stderr) problems += String(chunk);
  expect(problems).toMatch(/^This host does not allow the shell\. ENOSPC: .*\n$/);
  expect(await child.exited).toMatchObject({ code: 1 });
});

// Step `command file`: the file to execute by its descriptor.
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

import { clone, type CloneOptions, constants, Flags, plan, record, run } from '../../lib';
import { addon } from '../support/addon';
import { needing } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost, withAnswers } from '../support/host';
import { owned, read } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { programs } from '../support/root-folder';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

/** Opens a file as long as something is done. */
async function withFile<T>(path: string, use: (descriptor: number) => Promise<T>): Promise<T> {
  const descriptor = openSync(path, 'r');
  try {
    return await use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

describe('commandFd rejects', () => {
  test.each([-1, 0.5, 2 ** 31])('%p', (commandFd) => {
    expect(planning({ commandFd })).toThrow(refusal('ERR_OUT_OF_RANGE', 'commandFd'));
  });
  test.each(['3', null, {}, true])('%p', (commandFd) => {
    expect(planning({ commandFd })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'commandFd'));
  });
  test('one that is not open', async () => {
    await expect(clone('name', { commandFd: 987 })).rejects.toMatchObject({
      code: 'EBADF',
      step: 'command file',
      option: 'commandFd',
      hint: 'descriptor 987 is not open in Node',
    });
  });
});

describe('commandFd emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('command file', {})).toEqual([]);
  });
  test('a copy that is closed by the exec, and one exec', () => {
    const lines = linesOf(plan('name', ['a'], { commandFd: 7, env: {}, argv0: 'zero' }));
    const of = (step: string): string[] => lines.filter((line) => line.step === step).map(({ call }) => call);
    expect(of('command file')).toEqual(['fcntl(7, F_DUPFD_CLOEXEC, 5) = r0']);
    expect(of('closeFds').slice(-2)).toEqual(['dup3(r0, 4, O_CLOEXEC) = r0', 'close_range(5, ~0, 0)']);
    expect(of('command')).toEqual(['execveat(r0, "", ["zero", "a"], [0 variables], AT_EMPTY_PATH)']);
  });
  test('out of the way of more entries of stdio', () => {
    const stdio = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'] as const;
    expect(emitted('command file', { commandFd: 4, stdio })).toEqual(['commandFd: fcntl(4, F_DUPFD_CLOEXEC, 8) = r0']);
  });
});

const places: readonly (readonly [string, CloneOptions])[] = [
  ['', {}],
  [' in namespaces of its own', owned(Flags.NEWPID)],
  [' beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
  [' with what we have inheritable', { closeFds: false }],
  [' after a hold', { hold: true }],
];

describe('commandFd, seen from inside', () => {
  test.each(places)('the file is executed, whatever the command is called%s', async (_, options) => {
    await withFile('/bin/sh', async (commandFd) => {
      const child = await clone('no such command', ['-c', 'echo $0 $1 $A', 'x', 'y'], {
        ...options,
        commandFd,
        env: { A: 'b' },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      if (options.hold === true) await child.start();
      const text = await read(child.stdout);
      expect({ text, ...(await child.exited) }).toMatchObject({ text: 'x y b\n', code: 0 });
      expect(child.spawnfile).toBe('no such command');
    });
  });
  test('its name is the first argument, unless that is given', async () => {
    await withFile('/bin/cat', async (commandFd) => {
      const argv = async (options: CloneOptions): Promise<string> =>
        (await run('the name', ['/proc/self/cmdline'], { ...options, commandFd })).stdout;
      expect(await argv({})).toBe('the name\0/proc/self/cmdline\0');
      expect(await argv({ argv0: 'other' })).toBe('other\0/proc/self/cmdline\0');
    });
  });
  test.each(places.filter(([, { hold, closeFds }]) => hold !== true && closeFds !== false))(
    'the program does not have it%s',
    async (_, options) => {
      await withFile('/bin/ls', async (commandFd) => {
        const { stdout } = await run('ls', ['/proc/self/fd'], { ...options, commandFd });
        expect(stdout.trim().split('\n')).toEqual(['0', '1', '2', '3']);
      });
    },
  );
  test('nor without closeFds', async () => {
    await withFile('/bin/ls', async (commandFd) => {
      const { stdout } = await run('ls', ['-l', '/proc/self/fd'], { closeFds: false, commandFd });
      // What ls(1) itself is, is no descriptor of it.
      expect(stdout).not.toMatch(/-> \S*\/ls$/m);
    });
  });
  test('but where it is one of stdio as well', async () => {
    await withFile('/bin/ls', async (commandFd) => {
      const stdio = ['ignore', 'pipe', 'inherit', commandFd] as const;
      const { stdout } = await run('ls', ['-l', '/proc/self/fd'], { commandFd, stdio });
      expect(stdout).toMatch(/ 3 -> \S*\/ls$/m);
    });
  });
  test('a number that another entry of stdio has', async () => {
    await withFile('/bin/echo', async (commandFd) => {
      const stdio = ['ignore', ...Array.from({ length: commandFd + 1 }, () => 'pipe' as const)] as const;
      const child = await clone('echo', ['said'], { commandFd, stdio });
      expect(await read(child.stdout)).toBe('said\n');
      await child.exited;
      for (const stream of child.stdio) stream?.destroy();
    });
  });
  const forbidden = '/proc/sys/vm/memfd_noexec';
  const mayExecuteMemory = !existsSync(forbidden) || readFileSync(forbidden, 'utf8').trim() !== '2';
  needing(mayExecuteMemory, 'executable memory files, vm.memfd_noexec')('a memory file', async () => {
    const program = record((c) => ({ file: c.memfd_create('tool', constants.MFD_CLOEXEC) }));
    const child = await clone(program, { flags: Flags.VM | Flags.FILES });
    await child.exited;
    const { file } = child.results;
    try {
      for (const bytes = readFileSync('/bin/echo'), at = { value: 0 }; at.value < bytes.length;)
        at.value += writeSync(file, bytes, at.value);
      expect((await run('echo', ['from memory'], { commandFd: file })).stdout).toBe('from memory\n');
    } finally {
      closeSync(file);
    }
  });
  test('in a root that does not have it', async () => {
    copyFileSync('/bin/echo', folder.at('tool'));
    await withFile(folder.at('tool'), async (commandFd) => {
      const { stdout } = await run('tool', ['said'], {
        ...owned(Flags.NEWNS),
        root: { type: 'tmpfs' },
        mounts: programs,
        commandFd,
      });
      expect(stdout).toBe('said\n');
    });
  });
  needing(addon().landlockAbi() >= 5, 'Landlock ABI 5')(
    'under rules, with a ruleset that is kept beside it',
    async () => {
      await withFile('/bin/cat', async (commandFd) => {
        const landlock = { rules: [{ path: '/', access: ['read', 'execute'] }] } as const;
        for (const [, options] of places.filter(([, { hold }]) => hold !== true)) {
          const { stdout } = await run('cat', ['/proc/self/cmdline'], { ...options, commandFd, landlock });
          expect(stdout).toBe('cat\0/proc/self/cmdline\0');
        }
      });
    },
  );
  test('a plan of it, started twice', async () => {
    await withFile('/bin/echo', async (commandFd) => {
      const made = plan('echo', ['said'], { commandFd, stdio: ['ignore', 'pipe', 'ignore'] });
      for (let i = 0; i < 2; i++) {
        const child = await clone(made);
        expect(await read(child.stdout)).toBe('said\n');
        await child.exited;
      }
    });
  });
});

describe('commandFd, when the kernel refuses', () => {
  const failure = (path: string): Promise<unknown> =>
    withFile(path, (commandFd) => clone('tool', { commandFd, stdio: 'ignore' }).catch((error: unknown) => error));

  test('names the command', async () => {
    await withFile('/bin/true', async (commandFd) => {
      const error = await onHost({ files: hosts.free }, () => failAt({ commandFd }, calls('execveat'), 'EIO', 'tool'));
      expect(fieldsOf(error)).toEqual({
        code: 'EIO',
        errno: -5,
        step: 'command',
        option: 'commandFd',
        syscall: 'execveat',
        path: 'tool',
        message: 'EIO: i/o error, execveat tool (commandFd)',
      });
    });
  });
  test('a script, which is told from a program without its interpreter', async () => {
    const script = folder.file('script', '#!/bin/sh\necho said\n');
    chmodSync(script, 0o755);
    expect(await failure(script)).toMatchObject({
      code: 'ENOENT',
      hint: expect.stringContaining('is a script') as string,
    });
    const other = Buffer.from(readFileSync('/bin/true'));
    other.write('/no/', /\/lib\S*\/ld-/.exec(other.toString('latin1'))!.index, 'latin1');
    writeFileSync(folder.at('other'), other, { mode: 0o755 });
    expect(await failure(folder.at('other'))).toMatchObject({
      code: 'ENOENT',
      hint: 'the interpreter that the file names is missing',
    });
  });
  test('a text, for which no shell is tried', async () => {
    const text = folder.file('text', 'echo said\n');
    chmodSync(text, 0o755);
    expect(await failure(text)).toMatchObject({ code: 'ENOEXEC', hint: expect.stringContaining('no shell') as string });
  });
  test('a file that is not executable, a folder, and one that is open for writing', async () => {
    expect(await failure(folder.file('plain', ''))).toMatchObject({
      code: 'EACCES',
      hint: expect.stringMatching(/^descriptor \d+ is not executable$/) as string,
    });
    expect(await failure(folder.path)).toMatchObject({
      code: 'EACCES',
      hint: expect.stringMatching(/^descriptor \d+ is a folder$/) as string,
    });
    const text = await withFile('/bin/true', (commandFd) => failAt({ commandFd }, calls('execveat'), 'ETXTBSY'));
    expect(text.hint).toContain('is open for writing');
  });
  test('by a filter of its own', async () => {
    const filter = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
    const error = await withFile('/bin/true', (commandFd) =>
      withAnswers({}, () => failAt({ commandFd, seccomp: filter }, calls('execveat'), 'ENOSYS')),
    );
    expect(error.hint).toBe('the filter of the option seccomp must allow execveat');
  });
});

// What a line of bubblewrap comes to, seen from inside the child: operations, ids, capabilities, reports.
import { mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clone, Flags, Namespace, run, SyscallError } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { evaluate, root, withSharedMounts } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';
import { bwrapExitCode, fromBwrap } from '../../tools/bwrap/index';

leavesNothing();
const folder = temporaryFolder();

/** The programs of the host, and an empty /tmp. */
const host = ['--ro-bind', '/', '/', '--tmpfs', '/tmp'];

async function printed(...argv: string[]): Promise<string> {
  const { command, args, options } = fromBwrap(argv);
  const { stdout, stderr, code } = await run(command, args, options);
  if (code !== 0) throw new Error(`it ended with ${code}: ${stderr}`);
  return stdout.trimEnd();
}
const shell = (script: string, ...argv: string[]): Promise<string> => printed(...host, ...argv, 'sh', '-c', script);

async function refusal(...argv: string[]): Promise<string> {
  const { command, args, options, messageOf } = fromBwrap(argv);
  const error: unknown = await clone(command, args, options).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SyscallError);
  return messageOf(error as SyscallError);
}

/** Content to be read from a descriptor while `use` runs. */
async function withContent<T>(content: string | Uint8Array, use: (descriptor: string) => Promise<T>): Promise<T> {
  writeFileSync(folder.at('content'), content);
  const descriptor = openSync(folder.at('content'), 'r');
  try {
    return await use(String(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

describe('operations', () => {
  test('are done in their order', async () => {
    folder.file('source/file', 'x');
    const out = await shell(
      'ls /tmp/a /tmp/b',
      '--dir',
      '/tmp/a',
      '--bind',
      folder.at('source'),
      '/tmp/a',
      '--symlink',
      'a',
      '/tmp/b',
    );
    expect(out).toBe('/tmp/a:\nfile\n\n/tmp/b:\nfile');
  });

  test('a bind can be written to, a read-only one cannot', async () => {
    folder.folder('source');
    const script = 'echo x > /tmp/a/x; (echo x > /tmp/b/x) 2>&- || echo refused';
    const out = await shell(
      script,
      '--bind',
      folder.at('source'),
      '/tmp/a',
      '--ro-bind',
      folder.at('source'),
      '/tmp/b',
    );
    expect(out).toBe('refused');
    expect(readFileSync(folder.at('source/x'), 'utf8')).toBe('x\n');
  });

  test('a second root covers all that was before it', async () => {
    expect(await printed(...host, '--ro-bind', '/', '/', 'sh', '-c', `ls -d ${folder.path}`)).toBe(folder.path);
    expect(() => fromBwrap(['--bind', folder.at('missing'), '/a', '--ro-bind', '/', '/', 'true'])).toThrow(
      "Can't find source path",
    );
  });

  test('remount-ro is of one mount, not of those below', async () => {
    const script = '(echo > /tmp/a/x) 2>&- || echo refused; echo > /tmp/a/b/x && echo written';
    expect(await shell(script, '--tmpfs', '/tmp/a', '--tmpfs', '/tmp/a/b', '--remount-ro', '/tmp/a')).toBe(
      'refused\nwritten',
    );
    expect(await refusal(...host, '--dir', '/tmp/a', '--remount-ro', '/tmp/a', 'true')).toBe(
      `Can't remount readonly on /newroot/tmp/a: Unable to find "/newroot/tmp/a" in mount table`,
    );
  });

  test('what is mounted outside later is seen in a bind, and can be unmounted there', () => {
    const outside = folder.folder('outside/later');
    const told = evaluate<string>(
      `const { execFileSync, spawn } = require('node:child_process');
       const { once } = require('node:events');
       const later = ${JSON.stringify(outside)};
       const script = 'echo ready; read line; cat /mnt/later/file; echo seen; read line';
       const argv = ['bwrap', '--ro-bind', '/', '/', '--bind', later + '/..', '/mnt', 'sh', '-c', script];
       const box = spawn(${JSON.stringify(join(root, 'dist/lib/cli.js'))}, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
       let told = '';
       box.stdout.setEncoding('utf8').on('data', (text) => { told += text; });
       await until(() => told === 'ready\\n');
       execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', later]);
       fs.writeFileSync(later + '/file', 'from outside\\n');
       box.stdin.write('\\n');
       // Nobody inside has it open any more then.
       await until(() => told.endsWith('seen\\n'));
       execFileSync('umount', [later]);
       box.stdin.end();
       await once(box, 'close');
       return told;`,
      withSharedMounts,
    );
    expect(told).toBe('ready\nfrom outside\nseen\n');
  });

  test('files have the content of their descriptors and the permissions that are asked for', async () => {
    await withContent('one\n', async (descriptor) => {
      const look = 'cat /tmp/a; stat -c %a /tmp/a; grep " /tmp/a " /proc/self/mountinfo || echo no mount';
      expect(await shell(look, '--perms', '0640', '--file', descriptor, '/tmp/a')).toBe('one\n640\nno mount');
    });
    await withContent('two\n', async (descriptor) => {
      const look =
        'cat /tmp/a; stat -c %a /tmp/a; grep " /tmp/a " /proc/self/mountinfo | cut -d" " -f6; echo x > /tmp/a';
      expect(await shell(look, '--bind-data', descriptor, '/tmp/a')).toBe('two\n600\nrw,nosuid,nodev,relatime');
    });
    await withContent('', async (descriptor) => {
      const look = '(echo x > /tmp/a) 2>&- || echo refused';
      expect(await shell(look, '--ro-bind-data', descriptor, '/tmp/a')).toBe('refused');
    });
  });

  test('an overlay keeps its layers as they are', async () => {
    folder.file('lower/a', 'a\n');
    folder.file('over/b', 'b\n');
    const layers = ['--overlay-src', folder.at('lower'), '--overlay-src', folder.at('over')];
    const out = await shell(
      'cat /tmp/o/a /tmp/o/b; echo c > /tmp/o/a; cat /tmp/o/a',
      ...layers,
      '--tmp-overlay',
      '/tmp/o',
    );
    expect(out).toBe('a\nb\nc');
    expect(readFileSync(folder.at('lower/a'), 'utf8')).toBe('a\n');
    const refused = await shell('(echo > /tmp/o/a) 2>&- || echo refused', ...layers, '--ro-overlay', '/tmp/o');
    expect(refused).toBe('refused');
  });

  test('an overlay writes where it is told to', async () => {
    folder.file('lower/a', 'a\n');
    mkdirSync(folder.at('upper'));
    mkdirSync(folder.at('work'));
    await shell(
      'echo b > /tmp/o/a',
      '--overlay-src',
      folder.at('lower'),
      '--overlay',
      folder.at('upper'),
      folder.at('work'),
      '/tmp/o',
    );
    expect(readFileSync(folder.at('upper/a'), 'utf8')).toBe('b\n');
  });

  test('bind-fd takes what is open, whatever has its name', async () => {
    folder.file('source/file', 'x');
    const descriptor = openSync(folder.at('source'), 'r');
    try {
      expect(await shell('ls /tmp/a', '--bind-fd', String(descriptor), '/tmp/a')).toBe('file');
      const look = '(echo > /tmp/a/y) 2>&- || echo refused';
      expect(await shell(look, '--ro-bind-fd', String(descriptor), '/tmp/a')).toBe('refused');
    } finally {
      closeSync(descriptor);
    }
  });

  test('what is tried and is not there is nothing to do, and leaves nothing', async () => {
    expect(await shell('ls /tmp', '--bind-try', folder.at('missing'), '/tmp/a/b')).toBe('');
    expect(await refusal(...host, '--bind', folder.at('missing'), '/tmp/a', 'true')).toBe(
      `Can't find source path ${folder.at('missing')}: No such file or directory`,
    );
  });

  test('parents of what is private are private', async () => {
    const look = 'stat -c %a /tmp/a /tmp/b /tmp/c';
    const dirs = ['--perms', '0700', '--dir', '/tmp/a/x', '--perms', '0750', '--dir', '/tmp/b/x', '--dir', '/tmp/c/x'];
    expect(await shell(look, ...dirs)).toBe('700\n750\n755');
  });

  test('a device directory has what programs need, and no more', async () => {
    const out = await shell('ls -x /dev; echo > /dev/null; readlink /dev/fd', '--dev', '/dev');
    expect(out.split(/\s+/)).toEqual(
      'core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero /proc/self/fd'.split(' '),
    );
  });

  test('a size is what is there', async () => {
    expect(await shell('df --output=size -k /tmp/a | tail -1', '--size', '1048576', '--tmpfs', '/tmp/a')).toMatch(
      /^ *1024$/,
    );
  });

  test('messages are those of bubblewrap', async () => {
    folder.file('file', '');
    expect(await refusal(...host, '--dir', '/tmp/a', '--bind', folder.at('file'), '/tmp/a', 'true')).toBe(
      "Can't create file at /tmp/a: Is a directory",
    );
    expect(await refusal(...host, '--symlink', 'x', '/usr', 'true')).toBe(
      "Can't make symlink at /usr: destination exists and is not a symlink",
    );
    expect(await refusal(...host, '--chmod', '0755', '/tmp/a', 'true')).toBe(
      "Can't chmod 0755 /tmp/a: No such file or directory",
    );
    expect(await refusal(...host, '--chdir', '/tmp/a', 'true')).toBe(
      "Can't chdir to /tmp/a: No such file or directory",
    );
    expect(await refusal(...host, '/tmp/nothing')).toBe('execvp /tmp/nothing: No such file or directory');
  });
});

describe('ids and capabilities', () => {
  const status = 'grep -E "^(Uid|CapEff|CapBnd|NoNewPrivs)" /proc/self/status | cut -f2';
  const uid = process.getuid!();

  userOnly('an ordinary user keeps the own id and has no capability, with and without terminals', async () => {
    const expected = `${uid}\n${'0'.repeat(16)}\n${'0'.repeat(16)}\n1`;
    expect(await shell(status)).toBe(expected);
    expect(await shell(status, '--dev', '/dev', '--unshare-all', '--proc', '/proc')).toBe(expected);
    expect(await shell('cat /proc/self/uid_map', '--dev', '/dev')).toMatch(new RegExp(`^ *${uid} +0 +1$`));
  });

  rootOnly('root keeps what it has, but for what is dropped', async () => {
    const own = /CapEff:\t(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1];
    expect(await shell('grep CapEff /proc/self/status | cut -f2')).toBe(own);
    const dropped = await shell('grep CapEff /proc/self/status | cut -f2', '--cap-drop', 'CAP_KILL');
    expect(BigInt(`0x${own}`) ^ BigInt(`0x${dropped}`)).toBe(1n << 5n);
    expect(await shell('grep CapEff /proc/self/status | cut -f2', '--cap-drop', 'ALL')).toBe('0'.repeat(16));
  });

  test('a capability is added inside a user namespace', async () => {
    const own = ['--unshare-user', '--uid', '7', '--cap-drop', 'ALL', '--cap-add', 'CAP_NET_RAW'];
    expect(await shell('id -u; grep CapEff /proc/self/status | cut -f2', ...own)).toBe(
      `7\n${(1n << 13n).toString(16).padStart(16, '0')}`,
    );
  });

  test('no user namespace can be made where that is shut off', async () => {
    const nested = 'unshare --user true 2>&- && echo made || echo refused';
    expect(await shell(nested, '--unshare-user')).toBe('made');
    expect(await shell(nested, '--unshare-user', '--disable-userns')).toBe('refused');
    expect(await refusal(...host, '--assert-userns-disabled', 'true')).toBe(
      'creation of new user namespaces was not disabled as requested',
    );
  });

  test('a user namespace and one below it are joined', async () => {
    const outer = await clone('sleep', ['infinity'], {
      flags: Flags.NEWUSER | Flags.NEWPID,
      uidMap: 'root',
      gidMap: 'root',
      stdio: 'ignore',
    });
    try {
      using user = outer.namespace('user');
      using pid = outer.namespace('pid');
      const line = [
        '--userns',
        String(user.fd),
        '--pidns',
        String(pid.fd),
        '--uid',
        '0',
        '--gid',
        '0',
        '--proc',
        '/proc',
      ];
      const [inUser, inPid] = (await shell('readlink /proc/self/ns/user /proc/self/ns/pid', ...line)).split('\n');
      expect(inUser).toBe(`user:[${user.id}]`);
      expect(inPid).toBe(`pid:[${pid.id}]`);
    } finally {
      outer.kill('SIGKILL');
      await outer.exited;
    }
  });

  test('filters are installed', async () => {
    // Refuses getpid(2), 39 on x64 and 172 on arm64, with EPERM.
    const call = process.arch === 'x64' ? 39 : 172;
    const filter = Buffer.alloc(32);
    filter.set([0x20, 0, 0, 0, 0, 0, 0, 0], 0);
    filter.set([0x15, 0, 0, 1, call, 0, 0, 0], 8);
    filter.set([6, 0, 0, 0, 1, 0, 5, 0], 16);
    filter.set([6, 0, 0, 0, 0, 0, 0xff, 0x7f], 24);
    const look = 'grep -E "^Seccomp:" /proc/self/status | cut -f2';
    await withContent(filter, async (descriptor) => expect(await shell(look, '--seccomp', descriptor)).toBe('2'));
    await withContent(filter, async (descriptor) =>
      expect(await shell(look, '--add-seccomp-fd', descriptor)).toBe('2'),
    );
    await withContent(filter, async (descriptor) =>
      expect(() => fromBwrap(['--seccomp', descriptor, '--add-seccomp-fd', descriptor, 'true'])).toThrow(
        'cannot be combined',
      ),
    );
    await withContent('abc', async (descriptor) =>
      expect(() => fromBwrap(['--seccomp', descriptor, 'true'])).toThrow('Invalid seccomp data, must be multiple of 8'),
    );
    // What the kernel would say of an empty one is said when all has been read.
    await withContent('', async (descriptor) => {
      expect(() => fromBwrap(['--add-seccomp-fd', descriptor, 'true'])).toThrow('reported EINVAL');
      expect(() => fromBwrap(['--add-seccomp-fd', descriptor, '--seccomp', '0', 'true'])).toThrow('cannot be combined');
    });
  });
});

describe('the process', () => {
  test('PWD follows where it starts', async () => {
    expect(await printed(...host, '--chdir', '/usr', 'sh', '-c', 'pwd; echo $PWD')).toBe('/usr\n/usr');
  });

  test('the name is as asked for, and the session is its own', async () => {
    expect(await printed(...host, '--argv0', 'other', 'sh', '-c', 'echo $0')).toBe('other');
    const look = '[ $(cut -d" " -f6 /proc/$$/stat) = $$ ] && echo its own || echo ours';
    expect(await shell(look, '--new-session')).toBe('its own');
    expect(await shell(look)).toBe('ours');
  });

  test('the exit code is bubblewrap’s', async () => {
    const ended = async (script: string, ...argv: string[]): Promise<number> => {
      const { command, args, options } = fromBwrap([...host, ...argv, 'sh', '-c', script]);
      return bwrapExitCode(await clone(command, args, { ...options, stdio: 'ignore' }));
    };
    expect(await ended('exit 42')).toBe(42);
    expect(await ended('exit 42', '--unshare-pid')).toBe(42);
    expect(await ended('kill -9 $$')).toBe(137);
    expect(await ended('kill -TERM $$', '--unshare-pid')).toBe(143);
  });

  test('reports are written and the command waits', async () => {
    const file = folder.at('report');
    const [info, json, ready] = [
      openSync(file, 'w'),
      openSync(`${file}.json`, 'w'),
      openSync(folder.file('ready', 'x'), 'r'),
    ];
    try {
      const line = [
        '--unshare-pid',
        '--unshare-ipc',
        '--info-fd',
        `${info}`,
        '--json-status-fd',
        `${json}`,
        '--block-fd',
        `${ready}`,
      ];
      const { command, args, options, attend } = fromBwrap([...host, ...line, 'sh', '-c', 'exit 3']);
      const child = await clone(command, args, { ...options, stdio: 'ignore' });
      using ipc = child.namespace('ipc');
      const id = Number(ipc.id);
      await attend!(child);
      await child.exited;
      const told = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
      expect(Object.keys(told)).toEqual(['child-pid', 'ipc-namespace', 'mnt-namespace', 'pid-namespace']);
      expect(told).toMatchObject({ 'child-pid': child.pid, 'ipc-namespace': id });
      const [first, last] = readFileSync(`${file}.json`, 'utf8')
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as object);
      expect(first).toEqual(told);
      expect(last).toEqual({ 'exit-code': 3 });
    } finally {
      [info, json, ready].forEach(closeSync);
    }
  });

  test('who is told of it can enter its namespaces', async () => {
    const info = openSync(folder.at('info'), 'w');
    try {
      const line = ['--unshare-user', '--unshare-pid', '--info-fd', `${info}`];
      const { command, args, options, attend } = fromBwrap([...host, ...line, 'sleep', 'infinity']);
      const child = await clone(command, args, { ...options, stdio: 'ignore' });
      await attend!(child);
      const { 'child-pid': pid } = JSON.parse(readFileSync(folder.at('info'), 'utf8')) as { 'child-pid': number };
      using seen = Namespace.open(pid, 'pid');
      using own = child.namespace('pid');
      expect(seen.equals(own)).toBe(true);
      child.kill('SIGKILL');
      await child.exited;
    } finally {
      closeSync(info);
    }
  });

  test('a lock is held as long as somebody holds it', async () => {
    const path = folder.file('locked', '');
    const { locks, options, command, args } = fromBwrap([
      ...host,
      '--ro-bind',
      folder.path,
      '/tmp/l',
      '--lock-file',
      '/tmp/l/locked',
      '--unshare-pid',
      'true',
    ]);
    try {
      expect(readFileSync('/proc/locks', 'utf8')).toMatch(/OFDLCK ADVISORY +READ/);
      const { code } = await run(command, args, options);
      expect(code).toBe(0);
    } finally {
      locks.forEach(closeSync);
    }
    expect(() => fromBwrap([...host, '--lock-file', '/tmp/none', 'true'])).toThrow('is for what is bound from outside');
    expect(path).toContain('locked');
  });
});

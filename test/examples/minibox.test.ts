// The example `minibox`: what a command in a container sees and may do, how it ends, and that the host stays as it was.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { clone, Flags, type Mount, run } from '../../lib';
import { ownInterfaces } from '../support/inside';
import { needing, rootOnly, userOnly } from '../support/capability';
import { hostMounts } from '../support/mount-info';
import { root as project } from '../support/own-process';
import { slow, until } from '../support/slow';
import { buildExamples, example } from './built';

const busybox = '/bin/busybox';
const withBusybox = needing(existsSync(busybox), 'busybox-static');

/** Made of busybox alone, by the user that the tests run as. */
let root = '';

beforeAll(() => {
  buildExamples();
  root = mkdtempSync(join(tmpdir(), 'nsclone-minibox-'));
  for (const folder of ['bin', 'etc', 'root', 'kept']) mkdirSync(join(root, folder));
  if (!existsSync(busybox)) return;
  copyFileSync(busybox, join(root, 'bin/busybox'));
  const names = spawnSync(busybox, ['--list'], { encoding: 'utf8' }).stdout.trim().split('\n');
  for (const name of names.filter((one) => one !== 'busybox')) symlinkSync('busybox', join(root, 'bin', name));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** All that a container might change of the host. */
function host(): Record<string, unknown> {
  const groups = spawnSync('find', ['/sys/fs/cgroup', '-name', 'minibox-*'], { encoding: 'utf8' }).stdout;
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return {
    mounts: hostMounts(),
    veths: Object.keys(networkInterfaces()).filter((name) => name.startsWith('minibox')),
    groups,
    files,
    usr: readdirSync('/usr'),
  };
}

let before: ReturnType<typeof host>;
beforeEach(() => {
  before = host();
});
afterEach(() => expect(host()).toEqual(before));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function minibox(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [example('minibox'), ...args], {
    encoding: 'utf8',
    env,
    timeout: slow(30_000),
  });
  return { status, stdout, stderr };
}

/** What a script prints in a container. */
function inside(script: string, ...options: readonly string[]): string {
  const { status, stdout, stderr } = minibox([...options, root, 'sh', '-c', script]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trimEnd();
}

interface Mounted {
  readonly target: string;
  readonly options: readonly string[];
  readonly type: string;
}

/** The mounts of the container, later ones of the same target in the place of those that they cover. */
function mountsInside(): Map<string, Mounted> {
  const lines = inside('cat /proc/self/mountinfo').split('\n');
  return new Map(
    lines.map((line) => {
      const [mount, fstype] = line.split(' - ') as [string, string];
      const [, , , , target, options] = mount.split(' ');
      return [target!, { target: target!, options: options!.split(','), type: fstype.split(' ')[0]! }];
    }),
  );
}

describe('the root', () => {
  withBusybox('is the one that was given, and the old one is out of reach', () => {
    // The host has folders that the container has not.
    const folders = ['bin', 'dev', 'etc', 'kept', 'proc', 'root', 'run', 'sys', 'tmp'];
    for (const place of ['/', '/..', '/../../..', '/proc/self/root', '/proc/self/cwd/..'])
      expect([place, inside(`ls ${place}`).split('\n')]).toEqual([place, folders]);
    expect([...mountsInside().keys()].filter((target) => !/^\/($|dev|proc|sys|tmp$|run$|etc\/)/.test(target))).toEqual(
      [],
    );
    expect(mountsInside().get('/')!.type).toBe('overlay');
  });
  withBusybox('pid 1, which is of ours, cannot be looked into', () => {
    const refused = 'Permission denied';
    expect(inside('ls /proc/1/root 2>&1; ls /proc/1/cwd 2>&1; readlink /proc/1/exe || echo none')).toBe(
      `ls: /proc/1/root: ${refused}\nls: /proc/1/cwd: ${refused}\nnone`,
    );
  });
  withBusybox('takes changes, which are gone with the container', () => {
    expect(inside('rm -r /kept && echo new > /etc/new && ls / /etc')).not.toContain('kept');
    expect(existsSync(join(root, 'kept'))).toBe(true);
    expect(inside('ls /etc')).not.toContain('new');
  });
  test('host: the programs of this one, in which nothing is changed', () => {
    const script = 'touch /usr/bin/../changed && ls / && ls /usr && readlink /bin && bash --version';
    const { status, stdout, stderr } = minibox(['host', 'bash', '-c', script]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^bin\ndev\netc\nlib\nlib64\nproc\nrun\nsbin\nsys\ntmp\nusr\n/);
    expect(stdout).toContain('\nchanged\n');
    expect(stdout).toContain('\nusr/bin\nGNU bash');
    expect(existsSync('/usr/changed')).toBe(false);
  });
});

describe('the files', () => {
  withBusybox('what is not for the container cannot be written', () => {
    const places = [
      '/proc/sys/kernel/x',
      '/proc/irq/x',
      '/sys/x',
      '/etc/resolv.conf',
      '/etc/hosts',
      '/proc/sysrq-trigger',
    ];
    for (const place of places) {
      // A redirection that fails ends a shell.
      const script = `(echo x > ${place}) 2>&1; true`;
      expect([place, inside(script)]).toEqual([
        place,
        expect.stringMatching(/Read-only file system|nonexistent directory|denied/),
      ]);
    }
    const writable = [...mountsInside().values()]
      .filter(({ options }) => options.includes('rw'))
      .map(({ target }) => target);
    const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`);
    const masked = ['/proc/kcore', '/proc/keys', '/proc/timer_list'];
    const allowed = [
      '/',
      '/proc',
      '/dev',
      '/dev/pts',
      '/dev/shm',
      '/dev/mqueue',
      '/tmp',
      '/run',
      ...devices,
      ...masked,
    ];
    expect(writable.filter((target) => !allowed.includes(target))).toEqual([]);
    expect(mountsInside().get('/proc/sys')!.options).toContain('ro');
    expect(mountsInside().get('/sys')!.options).toContain('ro');
  });
  withBusybox('what tells of the host is hidden', () => {
    const files = ['/proc/kcore', '/proc/keys', '/proc/timer_list'].filter((path) => existsSync(path));
    expect(files).not.toEqual([]);
    for (const path of files)
      expect(inside(`stat -c '%F %t:%T' ${path}; wc -c < ${path}`)).toBe('character special file 1:3\n0');
    expect(inside('ls -A /sys/firmware')).toBe('');
  });
  test('a fresh /sys is left out where ours is covered, as in a container', async () => {
    const options = { flags: Flags.NEWUSER | Flags.NEWNS, uidMap: 'root', gidMap: 'root' } as const;
    const listed = async (mounts: Mount[]): Promise<string> =>
      (await run(process.execPath, [example('minibox'), 'host', 'ls', '/'], { ...options, mounts })).stdout;
    expect(await listed([])).toMatch(/^sys$/m);
    expect(await listed([{ type: 'mask', target: '/sys/kernel' }])).toMatch(/^run\nsbin\ntmp$/m);
  });
  withBusybox('devices work, and there are no others', () => {
    expect(inside('ls /dev').split('\n')).toEqual([
      'core',
      'fd',
      'full',
      'mqueue',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'tty',
      'urandom',
      'zero',
    ]);
    expect(
      inside('head -c 4 /dev/zero | wc -c; echo x > /dev/null; (echo x > /dev/full) 2>&1; echo y > /dev/stdout | cat'),
    ).toMatch(/^4\n.*No space left on device\ny$/);
  });
  withBusybox('names and addresses are those of the container', () => {
    expect(inside('cat /etc/hostname /etc/hosts', '--hostname', 'name')).toBe(
      'name\n127.0.0.1 localhost name\n::1 localhost',
    );
    expect(inside('cat /etc/resolv.conf')).toBe(readFileSync('/etc/resolv.conf', 'utf8').trimEnd());
    expect(inside('ls -a /tmp /run')).toBe('/run:\n.\n..\n\n/tmp:\n.\n..');
  });
});

describe('the process', () => {
  withBusybox('has the capabilities that Docker would leave, a filter and no new privileges', () => {
    const lines = inside("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status").split('\n');
    const docker = '00000000a80425fb';
    const none = '0'.repeat(16);
    expect(lines.map((line) => line.split(/\s+/))).toEqual([
      ['CapInh:', none],
      ['CapPrm:', docker],
      ['CapEff:', docker],
      ['CapBnd:', docker],
      ['CapAmb:', none],
      ['NoNewPrivs:', '1'],
      ['Seccomp:', '2'],
    ]);
  });
  test('gets no namespaces, mounts, traces or keys', () => {
    const tries = ['unshare --user true', 'unshare --mount true', 'mount -t tmpfs none /tmp', 'umount /tmp'];
    for (const line of tries) {
      const { status, stderr } = minibox(['host', 'bash', '-c', line]);
      expect([line, status === 0, stderr]).toEqual([
        line,
        false,
        expect.stringMatching(/not permitted|must be superuser|permission denied/i),
      ]);
    }
  });
  test('gets no user namespace by clone(2) or clone3(2) either', () => {
    // Perl knows no names of system calls: 56 and 220 are clone(2), 435 is clone3(2).
    const number = process.arch === 'arm64' ? 220 : 56;
    const script = `$! = 0; syscall(${number}, 0x10000000 | 17, 0, 0, 0, 0); print $! + 0, " "; $! = 0; syscall(435, 0, 0); print $! + 0`;
    const { stdout } = minibox(['host', 'perl', '-e', script]);
    expect(stdout).toBe('1 38');
  });
  withBusybox('has no descriptor of ours', () => {
    // The fourth is the listing’s own.
    expect(inside('ls /proc/self/fd')).toBe('0\n1\n2\n3');
  });
  withBusybox('has no environment of ours', () => {
    const { stdout } = minibox([root, 'env'], { ...process.env, SECRET: 'x', TERM: 'xterm' });
    expect(stdout.trimEnd().split('\n').sort()).toEqual([
      'HOME=/root',
      'HOSTNAME=box',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'TERM=xterm',
    ]);
  });
  withBusybox('is root beside a pid 1, on a host of its own', () => {
    expect(inside('id -u; id -g; hostname; pwd; ls -d /proc/[0-9]*', '--hostname', 'mini')).toBe(
      '0\n0\nmini\n/\n/proc/1\n/proc/2',
    );
  });
  withBusybox('--uid-map root: no id but our own', () => {
    expect(inside("tr -s ' ' < /proc/self/uid_map", '--uid-map', 'root')).toBe(` 0 ${process.geteuid!()} 1`);
  });
  userOnly('--uid-map: the ids that were lent to us', () => {
    const [, ...ranges] = inside("tr -s ' ' < /proc/self/uid_map", '--uid-map', 'auto').split('\n');
    expect(ranges.length).toBeGreaterThan(0);
    expect(inside('cat /proc/self/uid_map')).toBe(inside('cat /proc/self/uid_map', '--uid-map', 'auto'));
    expect(inside('touch /tmp/a && chown 7:7 /tmp/a && stat -c %u /tmp/a')).toBe('7');
  });
});

describe('its end', () => {
  withBusybox('is that of the command', () => {
    expect(minibox([root, 'sh', '-c', 'exit 7']).status).toBe(7);
    expect(minibox([root, 'sh', '-c', 'kill -KILL $$']).status).toBe(137);
    expect(minibox([root, 'sh', '-c', 'kill -SEGV $$']).status).toBe(139);
  });
  withBusybox('npm adds nothing to it', () => {
    // It builds the examples in place, which others are running meanwhile.
    const copy = mkdtempSync(join(tmpdir(), 'nsclone-minibox-npm-'));
    try {
      for (const name of ['package.json', 'tsconfig.json', 'examples'])
        cpSync(join(project, name), join(copy, name), { recursive: true });
      for (const name of ['node_modules', 'dist']) symlinkSync(join(project, name), join(copy, name));
      const args = ['run', '--silent', 'minibox', '--', '--hostname', 'npm', root, 'sh', '-c', 'hostname; exit 9'];
      const env = { ...process.env, npm_config_update_notifier: 'false' };
      const options = { cwd: copy, encoding: 'utf8', env, timeout: slow(60_000) } as const;
      const { status, stdout, stderr } = spawnSync('npm', args, options);
      expect({ status, stdout, stderr }).toEqual({ status: 9, stdout: 'npm\n', stderr: '' });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
  test.each([
    ['SIGTERM', 15],
    ['SIGINT', 2],
  ] as const)('%s is passed on', async (signal, number) => {
    const script = `trap 'echo got it; exit ${number}' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    const child = await clone(process.execPath, [example('minibox'), 'host', 'bash', '-c', script]);
    let output = '';
    for await (const chunk of child.stdout) {
      if (output === '') child.kill(signal);
      output += String(chunk);
    }
    expect(output).toBe('ready\ngot it\n');
    expect(await child.exited).toMatchObject({ code: number });
  });
  test('all in it ends with us', async () => {
    const seconds = 2_000_000 + process.pid;
    const child = await clone(process.execPath, [
      example('minibox'),
      'host',
      'bash',
      '-c',
      `echo; sleep ${seconds} & sleep ${seconds}`,
    ]);
    const sleeping = (): string => spawnSync('pgrep', ['-cfx', `sleep ${seconds}`], { encoding: 'utf8' }).stdout.trim();
    await until(() => sleeping() === '2');
    child.kill('SIGKILL');
    await child.exited;
    await until(() => sleeping() === '0');
  });
  withBusybox('what cannot be started is told in one line, with the codes of env(1)', () => {
    writeFileSync(join(root, 'etc/plain'), '');
    try {
      before = host();
      expect(minibox([root, 'nowhere'])).toMatchObject({
        status: 127,
        stderr: expect.stringMatching(/^minibox: ENOENT: .*\n$/),
      });
      expect(minibox([root, '/etc/plain'])).toMatchObject({
        status: 126,
        stderr: expect.stringMatching(/^minibox: EACCES: .*\n$/),
      });
    } finally {
      rmSync(join(root, 'etc/plain'));
      before = host();
    }
    expect(minibox(['/no/such/root', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^minibox: ENOENT: .*\n$/),
    });
  });
  test('a wrong call has the usage with it', () => {
    for (const args of [
      [],
      ['host'],
      ['--uid-map', 'x', 'host', 'true'],
      ['--nothing', 'host', 'true'],
      ['--memory', 'much', 'host', 'true'],
    ])
      expect(minibox(args)).toMatchObject({ status: 125, stdout: '', stderr: expect.stringMatching(/^minibox: .*\n/) });
    expect(minibox([]).stderr).toContain('usage: minibox');
  });
});

withBusybox('--pty is a terminal of its own', async () => {
  const args = ['--pty', root, 'sh', '-c', 'stty size; test -t 0 && test -t 2 && echo terminal; echo $TERM; exit 3'];
  const env = { ...process.env, TERM: 'vt100' };
  const child = await clone(process.execPath, [example('minibox'), ...args], { pty: { columns: 91, rows: 29 }, env });
  const output = await text(child.pty);
  expect(output.replaceAll('\r', '')).toBe('29 91\nterminal\nvt100\n');
  expect(await child.exited).toMatchObject({ code: 3 });
});

withBusybox('--plan prints the calls and does nothing', () => {
  const { status, stdout } = minibox(['--plan', root, 'true']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/ root switch +root +pivot_root\("\.", "\."\)/);
  expect(stdout).toMatch(/ command .* execve\("\/bin\/true"/);
});

describe('limits', () => {
  const options = ['--memory', '32M', '--pids', '10'];
  const refused = minibox.bind(undefined, [...options, 'host', 'true']);
  let offered = false;
  beforeAll(() => {
    offered = refused().status === 0;
  });
  withBusybox('hold where the host offers the controllers, else it is told which are missing', () => {
    if (offered) {
      // A shell that cannot fork ends.
      expect(inside('(i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i+1)); done) 2>&1; true', ...options)).toContain(
        "can't fork",
      );
      expect(minibox([...options, root, 'sh', '-c', 'head -c 64m /dev/zero | tail > /dev/null']).status).not.toBe(0);
    } else {
      expect(refused()).toEqual({
        status: 125,
        stdout: '',
        stderr: expect.stringMatching(
          /^minibox: no cgroup v2 above ours offers the controllers memory and pids .*\n$/,
        ) as string,
      });
    }
  });
});

describe('the network', () => {
  withBusybox('has nothing but a loopback interface', () => {
    expect(ownInterfaces(inside('ls /sys/class/net'))).toEqual(['lo']);
    expect(inside('ping -c 1 -W 5 127.0.0.1 | grep -c "1 packets received"')).toBe('1');
  });
  userOnly('--net takes root', () => {
    expect(minibox(['--net', 'host', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/--net takes root/),
    });
  });
  rootOnly('--net without iproute2 is told in one line', () => {
    const { status, stderr } = minibox(['--net', 'host', 'true'], { ...process.env, PATH: '/nowhere' });
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: expect.stringMatching(/^minibox: ip link add .*ENOENT: .*\n$/) as string,
    });
  });
  rootOnly('--net: a way to us and back', async () => {
    const server = createServer((_, response) => response.end('from outside\n')).listen(0);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      const script = `ip -o addr show eth0 | grep -c 10.200.0.2/30; ping -c 1 -W 5 10.200.0.1 > /dev/null && echo pong; wget -q -O - http://10.200.0.1:${port}/`;
      const child = await clone(process.execPath, [example('minibox'), '--net', root, 'sh', '-c', script]);
      const [stdout, stderr, { code }] = await Promise.all([text(child.stdout), text(child.stderr), child.exited]);
      expect({ stdout, stderr, code }).toEqual({ stdout: '1\npong\nfrom outside\n', stderr: '', code: 0 });
    } finally {
      server.close();
    }
  });
});

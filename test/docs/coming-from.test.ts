// The tables of docs/guides/coming-from.md: what they name is there, on both sides, and what they call the same is the same.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clone, constants, Flags, run } from '../../lib';
import type { RunOptions } from '../../types/run';
import { hasCapability, needing, rootOnly } from '../support/capability';
import { compile, read, root } from './documents';

const page = 'docs/guides/coming-from.md';

interface Row {
  /** The heading above the table. */
  readonly section: string;
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
  /** The words of ours. */
  readonly text: string;
}

const codes = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]+)`/g), (match) => match[1]!);

const sections = read(page).split(/^## /m).slice(1);
const rows: readonly Row[] = sections.flatMap((section) =>
  Array.from(section.matchAll(/^\| (`.*?) +\| (.*) \|$/gm), ([, theirs, ours]) => ({
    section: section.slice(0, section.indexOf('\n')),
    theirs: codes(theirs!),
    ours: codes(ours!),
    text: ours!,
  })),
);

test('has eight tables', () => {
  expect([...new Set(rows.map(({ section }) => section))]).toEqual([
    'unshare(1)',
    'nsenter(1)',
    'setpriv(1)',
    'bwrap(1)',
    'docker run',
    'child_process',
    'execa',
    "Go's SysProcAttr",
  ]);
});

test('every row says what to write here, or that there is none', () => {
  const silent = rows.filter(({ ours, text }) => ours.length === 0 && !/^(none|always)\b/.test(text));
  expect(silent).toEqual([]);
});

// ---- ours

/** What stands for a value of the reader's in the tables. */
const placeholders = `
import type { CapabilityName, ClonedProcess, CloneOptions, ForkOptions as OurForkOptions, RunOptions } from 'nsclone';
import type { ExecFileOptions, ForkOptions, SpawnOptions, SpawnSyncOptions } from 'node:child_process';
import { Flags, clone, fork, run } from 'nsclone';
import { createReadStream } from 'node:fs';
type Options = CloneOptions & Pick<RunOptions, 'input' | 'encoding' | 'maxBuffer'> & Omit<OurForkOptions, keyof CloneOptions>;
type KeysOf<T> = T extends unknown ? keyof T : never;
type Theirs = KeysOf<ExecFileOptions | ForkOptions | SpawnOptions | SpawnSyncOptions>;
declare const child: ClonedProcess;
declare const containerID: number, hostID: number, size: number, seconds: number, flags: number;
declare const fd: number, pid: number, pidfd: number, path: string, value: string, HOME: string, PATH: string;
declare const source: string, target: string, content: string;
declare const ambient: CapabilityName[], inheritable: CapabilityName[], bounding: CapabilityName[];
`;

/** A line that compiles if a name of ours is one, and its value is one that it takes. */
function lineOf(code: string): string | undefined {
  if (/^\w+\(\)$/.test(code)) return `void ${code.slice(0, -2)};`;
  if (/^\w+:/.test(code)) return `void ({ ${code} } satisfies Options);`;
  if (/^[a-z]\w*$/.test(code)) return `void ('${code}' satisfies keyof Options);`;
  return /^(Flags|child)\.[^=]+$/.test(code) ? `void ${code};` : undefined;
}

/** What our column quotes that is no option of ours. */
const ofTheirs = new Set(['reject: false', 'endedBy']);

test('every option of ours compiles, and every option of child_process is in the table', () => {
  mkdirSync(join(root, 'build'), { recursive: true });
  const folder = mkdtempSync(join(root, 'build/coming-from-'));
  try {
    const ours = [...new Set(rows.flatMap((row) => row.ours))].filter((code) => !ofTheirs.has(code));
    expect(ours.filter((code) => lineOf(code) === undefined)).toEqual([]);
    const listed = rows.filter(({ section }) => section === 'child_process').flatMap((row) => row.theirs);
    const lines = [
      ...ours.map((code) => lineOf(code)!),
      ...listed.map((name) => `void ('${name}' satisfies Theirs);`),
      `const left: Exclude<Theirs, ${listed.map((name) => `'${name}'`).join(' | ')}>[] = [];`,
      'void (left satisfies never[]);',
    ];
    writeFileSync(join(folder, 'tables.mts'), `${placeholders}${lines.join('\n')}\n`);
    const stdout = compile(folder);
    const source = `${placeholders}${lines.join('\n')}`.split('\n');
    const wrong = Array.from(stdout.matchAll(/^tables\.mts\((\d+),.*?(error TS.*)$/gm), ([, line, error]) => [
      source[Number(line) - 1],
      error,
    ]);
    expect(wrong).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// ---- theirs

function outputOf(command: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return `${stdout ?? ''}${stderr ?? ''}`;
}

const isThere = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;
const ifThere = (command: string): ReturnType<typeof needing> => needing(isThere(command), command);

/** The options in the order of `--help`, long and short. */
function optionsOf(command: string): string[] {
  const names = Array.from(
    outputOf(command, '--help').matchAll(/^ +((?:-\w[,.] +)?--[a-z0-9-]+(?:, +--[a-z0-9-]+)*)/gm),
    (match) => match[1]!.split(/[,.]? +/),
  );
  return names.filter(([first]) => !/^(-h|-V|--help|--version)$/.test(first!)).flat();
}

/** They came with bubblewrap 0.10, and to older ones with a fix of some distributions. */
const backported = /^--(ro-)?bind-fd$/;

describe.each(['unshare', 'nsenter', 'setpriv', 'bwrap'])('%s', (command) => {
  const section = `${command}(1)`;
  const listed = rows.filter((row) => row.section === section).flatMap(({ theirs }) => theirs);
  const version = /^As of [a-z-]+ (\d+\.\d+)/m.exec(sections.find((text) => text.startsWith(section))!)![1]!;
  const isSame = outputOf(command, '--version').includes(` ${version}.`);

  needing(isSame, `that version of ${command}`)(`has every option of version ${version}, and no other`, () => {
    const names = listed.map((name) => name.replace(/=.*/, ''));
    const sorted = (options: readonly string[]): string[] =>
      [...new Set(options)].filter((name) => !backported.test(name)).sort();
    expect(sorted(names)).toEqual(sorted(optionsOf(command)));
  });
});

// ---- side by side

/** What a command of theirs and one of ours print, which is the same. */
async function expectSame(theirs: readonly string[], script: string, options: RunOptions): Promise<string> {
  const [tool, ...args] = theirs;
  const their = spawnSync(tool!, [...args, '/bin/sh', '-c', script], { encoding: 'utf8' });
  expect(their.stderr).toBe('');
  const our = await run('/bin/sh', ['-c', script], options);
  expect(our.stderr).toBe('');
  expect(our.stdout).toBe(their.stdout);
  expect(our.stdout).not.toBe('');
  return our.stdout;
}

const own = { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root', setgroups: 'deny' } as const;

ifThere('unshare')('unshare --user --map-root-user --mount', async () => {
  const script =
    'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; grep -c " shared:" /proc/self/mountinfo; true';
  const printed = await expectSame(['unshare', '-Urm'], script, { ...own, flags: Flags.NEWUSER | Flags.NEWNS });
  expect(printed).toMatch(/^0\n0\n/);
});

ifThere('unshare')('unshare --map-current-user', async () => {
  const script = 'id -u; id -g; cat /proc/self/uid_map; grep CapEff /proc/self/status';
  await expectSame(['unshare', '-c'], script, { ...own, uidMap: 'keep', gidMap: 'keep' });
});

ifThere('unshare')('unshare --pid --fork --mount-proc', async () => {
  const printed = await expectSame(['unshare', '-Urpf', '--mount-proc'], 'echo $$ /proc/[1-9]*', {
    ...own,
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS,
    mounts: [{ type: 'proc', target: '/proc' }],
  });
  expect(printed).toMatch(/^1 \/proc\/1\n$/);
});

ifThere('unshare')('unshare --time --monotonic --boottime', async () => {
  const theirs = ['unshare', '-UrT', '-f', '--monotonic', '1000', '--boottime', '2000'];
  const printed = await expectSame(theirs, 'cat /proc/self/timens_offsets', {
    ...own,
    flags: Flags.NEWUSER | Flags.NEWTIME,
    timeOffsets: { monotonic: { seconds: 1000 }, boottime: { seconds: 2000 } },
  });
  expect(printed).toContain(' 2000 ');
});

ifThere('nsenter')('nsenter --target --user --uts --net', async () => {
  const home = await clone('sleep', ['100'], {
    ...own,
    flags: Flags.NEWUSER | Flags.NEWUTS | Flags.NEWNET,
    hostname: 'home',
    stdio: 'ignore',
  });
  try {
    const script =
      'id -u; id -g; hostname; readlink /proc/self/ns/user /proc/self/ns/uts /proc/self/ns/net /proc/self/ns/ipc';
    // It fails where it can give up its groups neither outside nor inside.
    const groups = hasCapability(constants.CAP_SETGID) ? [] : ['--preserve-credentials'];
    const printed = await expectSame(['nsenter', '-t', String(home.pid), '-U', '-u', '-n', ...groups], script, {
      join: { pid: home.pid, flags: Flags.NEWUSER | Flags.NEWUTS | Flags.NEWNET },
    });
    expect(printed).toMatch(/^0\n0\nhome\n/);
  } finally {
    home.kill('SIGKILL');
    await home.exited;
  }
});

const privileges = 'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs)" /proc/self/status';

ifThere('setpriv')('setpriv --no-new-privs', async () => {
  const printed = await expectSame(['setpriv', '--no-new-privs'], privileges, { noNewPrivileges: true });
  expect(printed).toMatch(/^NoNewPrivs:\t1$/m);
});

rootOnly('setpriv --reuid --regid --clear-groups --inh-caps --bounding-set --securebits', async () => {
  const theirs = ['--reuid', '1000', '--regid', '1000', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
  const printed = await expectSame(['setpriv', ...theirs, '--securebits=+noroot'], privileges, {
    uid: 1000,
    gid: 1000,
    capabilities: { inheritable: [], bounding: [] },
    securebits: ['NOROOT'],
  });
  expect(printed).toMatch(/^CapBnd:\t0+$/m);
});

rootOnly('setpriv --ambient-caps', async () => {
  const theirs = ['--reuid', '1000', '--regid', '1000', '--clear-groups'];
  const capabilities = ['--inh-caps=-all,+net_raw', '--ambient-caps=+net_raw'];
  // Else its change of ids empties the permitted set before it raises what is ambient.
  const keeping = ['setpriv', '--securebits=+no_setuid_fixup', ...theirs, ...capabilities];
  const printed = await expectSame(keeping, 'grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status', {
    uid: 1000,
    gid: 1000,
    capabilities: { ambient: ['CAP_NET_RAW'] },
  });
  expect(printed).toMatch(/^CapAmb:\t0+2000$/m);
});

ifThere('bwrap')('bwrap --unshare-user --unshare-uts --uid --gid --hostname --chdir --clearenv --setenv', async () => {
  const script = `id -u; id -g; hostname; pwd; echo "$A"; grep -E "^(Cap|NoNewPrivs)" /proc/self/status`;
  const places = ['--dev-bind', '/', '/', '--unshare-user', '--unshare-uts', '--uid', '5', '--gid', '6'];
  const rest = ['--hostname', 'box', '--chdir', '/tmp', '--clearenv', '--setenv', 'A', 'b', '--cap-drop', 'ALL'];
  const printed = await expectSame(['bwrap', ...places, ...rest], script, {
    flags: Flags.NEWUSER | Flags.NEWUTS,
    uidMap: [{ containerID: 5, hostID: process.geteuid!(), size: 1 }],
    gidMap: [{ containerID: 6, hostID: process.getegid!(), size: 1 }],
    hostname: 'box',
    cwd: '/tmp',
    env: { A: 'b' },
    capabilities: [],
    noNewPrivileges: true,
  });
  expect(printed).toMatch(/^5\n6\nbox\n\/tmp\nb\n/);
});

ifThere('bwrap')(
  'bwrap --bind --ro-bind --dev-bind --tmpfs --dir --symlink --perms --size --chmod --proc',
  async () => {
    const root =
      'cd /; ls; ls -l /srv | tail -n +2 | cut -c 1-10; readlink link; (echo x > /usr/new) 2> /dev/null || echo refused';
    // Of the root bubblewrap has another line, and it covers parts of /proc, which differ from host to host.
    const mounted = "cut -d' ' -f 5,6 /proc/self/mountinfo | grep -v -e '^/ ' -e '^/proc/' | sort";
    const lines = [
      '--ro-bind /usr /usr',
      '--symlink usr/bin /bin',
      '--symlink usr/lib /lib',
      '--symlink usr/lib64 /lib64',
    ];
    const more = ['--dev-bind /dev/null /dev/null', '--bind /tmp /of-host', '--size 65536 --perms 0700 --tmpfs /srv'];
    const made = ['--perms 0750 --dir /srv/made', '--dir /srv/other --chmod 0711 /srv/other', '--symlink /srv /link'];
    const theirs = [
      'bwrap --unshare-user --uid 0 --gid 0 --unshare-pid --as-pid-1',
      ...lines,
      ...more,
      ...made,
      '--proc /proc',
    ];
    const bound = { type: 'bind', nosuid: true, create: true } as const;
    const printed = await expectSame(theirs.join(' ').split(' '), `${root}; ${mounted}`, {
      ...own,
      flags: Flags.NEWUSER | Flags.NEWNS | Flags.NEWPID,
      root: { type: 'tmpfs' },
      mounts: [
        { ...bound, source: '/usr', target: '/usr', readonly: true, nodev: true },
        { type: 'symlink', target: '/bin', to: 'usr/bin' },
        { type: 'symlink', target: '/lib', to: 'usr/lib' },
        { type: 'symlink', target: '/lib64', to: 'usr/lib64' },
        { ...bound, source: '/dev/null', target: '/dev/null' },
        { ...bound, source: '/tmp', target: '/of-host', nodev: true },
        { type: 'tmpfs', target: '/srv', size: 65536, mode: 0o700, create: true },
        { type: 'dir', target: '/srv/made', mode: 0o750 },
        { type: 'dir', target: '/srv/other' },
        { type: 'chmod', target: '/srv/other', mode: 0o711 },
        { type: 'symlink', target: '/link', to: '/srv' },
        { type: 'proc', target: '/proc', create: true },
      ],
      cwd: '/',
    });
    expect(printed).toContain('\ndrwxr-x---\ndrwx--x--x\n/srv\nrefused\n');
  },
);

test('child_process: cwd, env, argv0, detached', async () => {
  const script = 'echo "$0"; pwd; echo "$A"; [ "$(cut -d" " -f6 /proc/self/stat)" = $$ ] && echo leads';
  const options = { argv0: 'me', cwd: '/', env: { A: 'b', PATH: process.env['PATH'] }, detached: true } as const;
  const their = spawnSync('/bin/sh', ['-c', script], { ...options, encoding: 'utf8' });
  expect((await run('/bin/sh', ['-c', script], options)).stdout).toBe(their.stdout);
  expect(their.stdout).toBe('me\n/\nb\nleads\n');
});

// Step `landlock`: what the program may still do with files, ports and others.
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

import { clone, type CloneOptions, constants, Flags, type Landlock, plan } from '../../lib';
import { addon } from '../support/addon';
import { hasCapability, needing } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf, notesOf } from '../support/listing';
import { planning, refusal } from '../support/refusal';
import { programs, proc } from '../support/root-folder';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

const given = (landlock: unknown): (() => unknown) => planning({ landlock });
const rule = (value: unknown): (() => unknown) => given({ rules: [value] });

const real = addon().landlockAbi;
const version = real();
const NONE = -95; // -EOPNOTSUPP

const withRules = needing(version >= 5, 'Landlock ABI 5');
const withAll = needing(version >= 6, 'Landlock ABI 6');

/** As if the kernel had this version. */
function onVersion(abi: number): void {
  addon().landlockAbi = () => abi;
}
afterEach(() => {
  addon().landlockAbi = real;
});

/** Programs and libraries, and what a shell looks at. */
const usual = { path: '/', access: ['read', 'execute'] } as const;

describe('landlock rejects', () => {
  beforeEach(() => onVersion(7));

  test('an optional descriptor', () => {
    expect(rule({ path: 0, access: ['read'], optional: true })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].optional', 'must not be true beside a descriptor'),
    );
    expect(rule({ path: '/', access: ['read'], optional: 1 })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'landlock.rules[0].optional'),
    );
  });
  test('nothing to restrict', () => {
    for (const value of [{}, { scope: [] }, { minimumAbi: 1 }])
      expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'landlock', 'must have rules, net or scope'));
  });
  test('a right that is none, with the nearest', () => {
    expect(rule({ path: '/', access: ['reed'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].access[0]', 'did you mean "read"?'),
    );
    expect(rule({ path: '/', access: ['LANDLOCK_ACCESS_FS_EXECUTE'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].access[0]'),
    );
    expect(given({ net: [{ port: 1, access: ['bin_tcp'] }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.net[0].access[0]', 'did you mean "bind_tcp"?'),
    );
    expect(given({ scope: ['signals'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.scope[0]', 'did you mean "signal"?'),
    );
  });
  test('a rule that allows nothing', () => {
    expect(rule({ path: '/', access: [] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].access', 'must not be empty'),
    );
    expect(given({ net: [{ port: 1, access: [] }] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.net[0].access', 'must not be empty'),
    );
  });
  test('a path that is relative, or none', () => {
    expect(rule({ path: 'tmp', access: ['read'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].path', 'must be absolute'),
    );
    for (const path of [undefined, null, true, {}])
      expect(rule({ path, access: ['read'] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'landlock.rules[0].path'));
    for (const path of ['', '/a\0b', new URL('http://localhost/')])
      expect(rule({ path, access: ['read'] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].path'));
    for (const path of [-1, 0.5]) expect(rule({ path, access: ['read'] })).toThrow(/>= 0|an integer/);
  });
  test('a port that is none', () => {
    for (const port of [-1, 65_536, 1.5])
      expect(given({ net: [{ port, access: ['bind_tcp'] }] })).toThrow(
        refusal('ERR_OUT_OF_RANGE', 'landlock.net[0].port'),
      );
    expect(given({ net: [{ port: '80', access: ['bind_tcp'] }] })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'landlock.net[0].port'),
    );
  });
  test('fields that are none, and other types', () => {
    expect(given({ rule: [] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'landlock.rule', 'did you mean "rules"?'));
    expect(rule({ path: '/', acces: ['read'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.rules[0].acces', 'did you mean "access"?'),
    );
    expect(given({ rules: {} })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'landlock.rules'));
    expect(rule('/')).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'landlock.rules[0]'));
    expect(rule({ path: '/', access: 'read' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'landlock.rules[0].access'));
    expect(given({ scope: 'signal' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'landlock.scope'));
    expect(given({ rules: [], minimumAbi: '1' })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'landlock.minimumAbi'));
    expect(given({ rules: [], minimumAbi: 0 })).toThrow(refusal('ERR_OUT_OF_RANGE', 'landlock.minimumAbi'));
  });
});

describe('landlock, on kernels that know less', () => {
  const all: Landlock = { rules: [usual], net: [], scope: ['signal'] };

  test.each<[number, Landlock, string, string]>([
    [4, { rules: [] }, 'rules', 'needs Landlock ABI 5 (Linux 6.10), and this kernel has 4, which knows no ioctl_dev'],
    [2, { rules: [] }, 'rules', 'this kernel has 2, which knows no truncate, ioctl_dev'],
    [3, { net: [] }, 'net', 'needs Landlock ABI 4 (Linux 6.7), and this kernel has 3, which knows no TCP ports'],
    [5, { scope: ['signal'] }, 'scope', 'needs Landlock ABI 6 (Linux 6.12), and this kernel has 5'],
  ])('ABI %i: %j is refused', (abi, value, field, message) => {
    onVersion(abi);
    expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_VALUE', `landlock.${field}`, message));
    expect(given(value)).toThrow(`with minimumAbi: ${abi} they are left out`);
  });
  test('what each knows is enough for what it knows', () => {
    onVersion(5);
    expect(given({ rules: [usual], net: [] })).not.toThrow();
    onVersion(4);
    expect(given({ net: [] })).not.toThrow();
  });
  test('a minimum that it has not', () => {
    onVersion(3);
    expect(given({ ...all, minimumAbi: 4 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'landlock.minimumAbi', 'is 4, and this kernel has Landlock ABI 3'),
    );
  });
  test('a minimum that it has: what is left out is noted, and not in the program', () => {
    const planned = (abi: number): { notes: string[]; created: string } => {
      onVersion(abi);
      const made = plan('/bin/true', { landlock: { ...all, minimumAbi: 1 } });
      return { notes: notesOf(made), created: linesOf(made).find(({ call }) => call.includes('create_ruleset'))!.call };
    };
    const not = (what: string, abi: number): string =>
      `landlock: ${what} are not restricted, as this kernel has Landlock ABI ${abi}`;
    expect(planned(7).notes).toEqual([]);
    const five = planned(5);
    expect(five.notes).toEqual([not('scopes', 5)]);
    expect(five.created).toMatch(/IOCTL_DEV, handled_access_net=\S+}, 16, 0\)/);
    const three = planned(3);
    expect(three.notes).toEqual([not('ioctl_dev', 3), not('TCP ports', 3), not('scopes', 3)]);
    expect(three.created).toMatch(/LANDLOCK_ACCESS_FS_REFER\|LANDLOCK_ACCESS_FS_TRUNCATE}, 8, 0\)/);
    const one = planned(1);
    expect(one.notes).toEqual([
      not('truncate, ioctl_dev', 1),
      not('TCP ports', 1),
      not('scopes', 1),
      'landlock: no file can be renamed or linked to another folder (refer), as this kernel has Landlock ABI 1',
    ]);
    expect(one.created).toMatch(/LANDLOCK_ACCESS_FS_MAKE_SYM}, 8, 0\)/);
  });
  test('no rule has more than the ruleset', () => {
    onVersion(1);
    const lines = emitted('landlock rules', {
      landlock: { rules: [{ path: '/', access: ['write', 'ioctl_dev', 'refer'] }], minimumAbi: 1 },
    });
    expect(lines.join('\n')).not.toMatch(/TRUNCATE|REFER|IOCTL_DEV/);
  });
  test('where nothing is left there is no ruleset', () => {
    onVersion(3);
    const made = plan('/bin/true', { landlock: { net: [], scope: ['signal'], minimumAbi: 2 } });
    expect(String(made)).not.toContain('landlock_');
    // Nor a number that is left open for it.
    expect(String(made)).toContain('close_range(4, ~0, 0)');
    expect(notesOf(made)).toHaveLength(2);
  });
  withAll('a later start asks the kernel again', () => {
    onVersion(7);
    const options: CloneOptions = { landlock: { scope: ['signal'] } };
    const child = clone('/bin/true', [], { ...options, stdio: 'ignore' });
    onVersion(2);
    return Promise.all([
      child.then(({ exited }) => exited),
      expect(clone('/bin/true', [], { ...options, stdio: 'ignore' })).rejects.toThrow(/this kernel has 2/),
    ]);
  });
  test('and on those without it the call itself says so', async () => {
    onVersion(NONE);
    const error = await failAt({ landlock: all }, calls('landlock_create_ruleset'), 'EOPNOTSUPP');
    expect(error).toMatchObject({ code: 'ENOTSUP', step: 'landlock rules', option: 'landlock' });
    expect(error.hint).toContain('the boot parameter lsm must name it');
  });
});

describe('landlock emits', () => {
  beforeEach(() => onVersion(7));

  test('nothing where it is not given', () => {
    expect(String(plan('/bin/true'))).not.toContain('landlock');
  });
  test('rules by words, which say of a file what there is of files', () => {
    const lines = emitted('landlock rules', { landlock: { rules: [{ path: '/a', access: ['read'] }] } });
    expect(lines.slice(3)).toEqual([
      'landlock.rules[0]: openat2(AT_FDCWD, "/a", {flags=O_RDONLY|O_CLOEXEC|O_PATH, resolve=RESOLVE_NO_MAGICLINKS}, 24) = r2  # EAGAIN: once more',
      expect.stringMatching(/^landlock\.rules\[0\]: data\[\d+\] = r2$/) as string,
      'landlock.rules[0]: landlock_add_rule(r1, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_READ_FILE}, 0)',
      expect.stringMatching(/^landlock\.rules\[0\]: data\[\d+\] = r2$/) as string,
      'landlock.rules[0]: landlock_add_rule(r1, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_READ_DIR}, 0)  # EINVAL: go on',
      'landlock.rules[0]: close(r2)',
    ]);
  });
  test("and by the kernel's names, which must fit", () => {
    const lines = emitted('landlock rules', {
      landlock: { rules: [{ path: '/a', access: ['read_dir', 'make_dir'] }] },
    });
    expect(lines.filter((line) => line.includes('add_rule'))).toEqual([
      'landlock.rules[0]: landlock_add_rule(r1, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_READ_DIR|LANDLOCK_ACCESS_FS_MAKE_DIR}, 0)',
    ]);
  });
  test('ports and scopes', () => {
    expect(
      emitted('landlock rules', {
        landlock: {
          net: [{ port: 443, access: ['connect_tcp', 'bind_tcp'] }],
          scope: ['signal', 'abstract_unix_socket'],
        },
      }),
    ).toEqual([
      'landlock: landlock_create_ruleset({handled_access_net=LANDLOCK_ACCESS_NET_BIND_TCP|LANDLOCK_ACCESS_NET_CONNECT_TCP, scoped=LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET|LANDLOCK_SCOPE_SIGNAL}, 24, 0) = r0',
      'landlock: fcntl(r0, F_DUPFD_CLOEXEC, 5) = r1',
      'landlock: close(r0)',
      'landlock.net[0]: landlock_add_rule(r1, LANDLOCK_RULE_NET_PORT, {allowed_access=LANDLOCK_ACCESS_NET_BIND_TCP|LANDLOCK_ACCESS_NET_CONNECT_TCP, port=443}, 0)',
    ]);
  });
  test('the rules in the final root, and the ruleset after the identity, before the filter', () => {
    const filter = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
    const made = plan('/bin/true', [], {
      ...owned(Flags.NEWNS),
      root: '/',
      uid: 0,
      cwd: '/',
      hold: true,
      seccomp: filter,
      landlock: { rules: [usual] },
    });
    const steps = [...new Set(linesOf(made).map(({ step }) => step))];
    const order = [
      'root switch',
      'landlock rules',
      'closeFds',
      'identity',
      'cwd',
      'noNewPrivileges',
      'landlock',
      // The look for it.
      'command',
      'hold',
      'seccomp',
    ];
    expect(steps.filter((step) => order.includes(step))).toEqual(order);
  });
  test('no_new_privs, unless that is given', () => {
    const sets = (noNewPrivileges?: boolean): boolean =>
      String(plan('/bin/true', { landlock: { scope: ['signal'] }, noNewPrivileges })).includes('PR_SET_NO_NEW_PRIVS');
    expect([sets(), sets(true), sets(false)]).toEqual([true, true, false]);
  });
});

const places: readonly (readonly [string, CloneOptions])[] = [
  ['', {}],
  [' in namespaces of its own', owned(Flags.NEWPID)],
  [' beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
  [' with what we have inheritable', { closeFds: false }],
];

/** Says for each line of a script whether it went well. */
async function each(lines: readonly string[], options: CloneOptions): Promise<string[]> {
  const script = lines.map((line) => `if (${line}) >/dev/null 2>&1; then echo yes; else echo no; fi`).join('\n');
  return (await inside(script, options)).split('\n');
}
const quiet = { path: '/dev/null', access: ['write'] } as const;

describe('landlock, seen from inside', () => {
  for (const [name, options] of places) {
    withRules(`files${name}`, async () => {
      for (const one of ['open', 'closed']) folder.file(`${one}/file`, 'text');
      const [open, closed] = [folder.at('open'), folder.at('closed')];
      const lines = [
        `cat ${closed}/file`,
        `echo more > ${closed}/file`,
        `rm ${closed}/file`,
        `mkdir ${closed}/folder`,
        `echo more > ${open}/file`,
        `mkdir ${open}/folder`,
        `ln -s file ${open}/link`,
        `mv ${open}/file ${open}/folder/other`,
        `rm ${open}/link`,
        `mknod ${open}/device c 1 3`,
      ];
      const landlock: Landlock = { rules: [usual, quiet, { path: open, access: ['write'] }] };
      expect(await each(lines, { ...options, landlock })).toEqual('yes no no no yes yes yes yes yes no'.split(' '));
      expect(readdirSync(closed)).toEqual(['file']);
      expect(readdirSync(open)).toEqual(['folder']);
    });
  }
  withRules('only what is allowed, by single rights', async () => {
    folder.file('a/file', 'text');
    const landlock: Landlock = {
      rules: [
        ...['/usr', '/bin', '/lib', '/lib64', '/etc'].map((path) => ({ path, access: ['read', 'execute'] as const })),
        quiet,
        { path: folder.at('a'), access: ['read_file', 'make_dir'] as const },
      ].filter(({ path }) => readable(path)),
    };
    const a = folder.at('a');
    expect(
      await each([`cat ${a}/file`, `ls ${a}`, `mkdir ${a}/new`, `rmdir ${a}/new`, `ls ${folder.path}`], { landlock }),
    ).toEqual(['yes', 'no', 'yes', 'no', 'no']);
  });
  withRules('a rule for a file, by a word, a URL, a descriptor', async () => {
    const [one, two, three] = ['one', 'two', 'three'].map((name) => folder.file(name, 'text')) as [
      string,
      string,
      string,
    ];
    const descriptor = openSync(two, 'r');
    try {
      const landlock: Landlock = {
        rules: [usual, quiet, { path: pathToFileURL(one), access: ['write'] }, { path: descriptor, access: ['write'] }],
      };
      const lines = [one, two, three].map((path) => `echo more > ${path}`);
      for (const [, options] of places)
        expect(await each(lines, { ...options, landlock })).toEqual(['yes', 'yes', 'no']);
    } finally {
      closeSync(descriptor);
    }
  });
  withRules('a folder by a descriptor, whose number is one of stdio', async () => {
    mkdirSync(folder.at('open'));
    const descriptor = openSync(folder.at('open'), 'r');
    try {
      const landlock: Landlock = { rules: [usual, quiet, { path: descriptor, access: ['write'] }] };
      const stdio = ['ignore', 'pipe', 'pipe', ...Array.from({ length: descriptor }, () => 'ignore' as const)] as const;
      expect(await each([`mkdir ${folder.at('open')}/a`, `mkdir ${folder.at('b')}`], { landlock, stdio })).toEqual([
        'yes',
        'no',
      ]);
    } finally {
      closeSync(descriptor);
    }
  });
  withRules('the paths are those of the final root', async () => {
    mkdirSync(folder.at('root'));
    const options: CloneOptions = {
      ...owned(Flags.NEWNS | Flags.NEWPID),
      root: { type: 'tmpfs' },
      mounts: [
        ...programs,
        proc,
        { type: 'tmpfs', target: '/data', create: true },
        { type: 'dev', target: '/dev', create: true },
      ],
      landlock: { rules: [usual, quiet, { path: '/data', access: ['write'] }] },
    };
    expect(await each(['touch /data/file', 'touch /file'], options)).toEqual(['yes', 'no']);
  });
  withRules('an optional path that is missing is nothing to allow, and the next rule holds', async () => {
    const optional = true;
    const write = ['write'] as const;
    folder.file('file', '');
    mkdirSync(folder.at('open'));
    const landlock: Landlock = {
      rules: [
        usual,
        quiet,
        { path: folder.at('missing'), access: write, optional },
        { path: folder.at('file/below'), access: write, optional },
        { path: folder.at('open'), access: write, optional },
      ],
    };
    for (const [, options] of places)
      expect(
        await each([`touch ${folder.at('open')}/file`, `touch ${folder.at('other')}`], { ...options, landlock }),
      ).toEqual(['yes', 'no']);
  });
  withRules('nothing of it is open in the program', async () => {
    const descriptor = openSync(folder.path, 'r');
    try {
      const landlock: Landlock = { rules: [usual, quiet, { path: descriptor, access: ['read'] }] };
      for (const [, options] of places.filter(([, { closeFds }]) => closeFds !== false))
        expect(await inside('echo /proc/self/fd/*', { ...options, landlock })).toMatch(
          /^(\/proc\/self\/fd\/[0-3] ?){3,4}$/,
        );
    } finally {
      closeSync(descriptor);
    }
  });
  needing(version >= 4, 'Landlock ABI 4')('ports', async () => {
    const [allowed, other] = [createServer((socket) => socket.destroy()), createServer((socket) => socket.destroy())];
    try {
      const ports = [];
      for (const server of [allowed, other]) {
        await once(server.listen(0, '127.0.0.1'), 'listening');
        ports.push((server.address() as { port: number }).port);
      }
      const script = (port: number): string =>
        `const s = require('node:net').connect(${port}, '127.0.0.1'); s.on('connect', () => process.exit(0)); s.on('error', ({ code }) => process.exit(code === 'EACCES' ? 13 : 1));`;
      const codeOf = async (port: number, landlock?: Landlock): Promise<number | null> => {
        const child = await clone(process.execPath, ['-e', script(port)], { landlock, stdio: 'ignore' });
        return (await child.exited).code;
      };
      const landlock: Landlock = { net: [{ port: ports[0]!, access: ['connect_tcp'] }] };
      expect(await codeOf(ports[0]!, landlock)).toBe(0);
      expect(await codeOf(ports[1]!, landlock)).toBe(13);
      expect(await codeOf(ports[1]!)).toBe(0);
      expect(await codeOf(ports[0]!, { net: [] })).toBe(13);
    } finally {
      allowed.close();
      other.close();
    }
  });
  withAll('signals, and sockets without a file', async () => {
    const name = `\0nsclone-${process.pid}`;
    const server = createServer((socket) => socket.destroy());
    try {
      await once(server.listen(name), 'listening');
      const script = `const s = require('node:net').connect(${JSON.stringify(name)}); s.on('connect', () => process.exit(0)); s.on('error', ({ code }) => process.exit(code === 'EPERM' ? 9 : 1));`;
      const connects = async (landlock?: Landlock): Promise<number | null> => {
        const child = await clone(process.execPath, ['-e', script], { landlock, stdio: 'ignore' });
        return (await child.exited).code;
      };
      expect(await connects()).toBe(0);
      expect(await connects({ scope: ['signal'] })).toBe(0);
      expect(await connects({ scope: ['abstract_unix_socket'] })).toBe(9);
    } finally {
      server.close();
    }
    const lines = [`kill -0 ${process.pid}`, 'sleep 10 & kill $!'];
    expect(await each(lines, {})).toEqual(['yes', 'yes']);
    expect(await each(lines, { landlock: { scope: ['signal'] } })).toEqual(['no', 'yes']);
  });
  withAll('we can still end it', async () => {
    const child = await clone('sleep', ['100'], { landlock: { rules: [usual], scope: ['signal'] }, stdio: 'ignore' });
    expect(child.kill('SIGTERM')).toBe(true);
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM' });
  });
  withRules('a held child has it before start()', async () => {
    const child = await clone('sh', ['-c', `echo text > ${folder.at('file')}`], {
      landlock: { rules: [usual] },
      hold: true,
      stdio: 'ignore',
    });
    await child.start();
    expect((await child.exited).code).not.toBe(0);
    expect(readdirSync(folder.path)).toEqual([]);
  });
  // The kernels that know less are here as far as their programs are: what is left out is not restricted, what is not, is.
  for (const abi of [1, 2, 3, 4, 5]) {
    withRules(`the program for ABI ${abi}`, async () => {
      onVersion(abi);
      writeFileSync(folder.at('file'), 'text');
      const landlock: Landlock = { rules: [usual, quiet], net: [], scope: ['signal'], minimumAbi: 1 };
      const lines = [`rm ${folder.at('file')}`, `echo > ${folder.at('file')}`, `kill -0 ${process.pid}`];
      expect(await each(lines, { landlock })).toEqual(['no', 'no', 'yes']);
    });
  }
  const mayWithout = version >= 6 && hasCapability(constants.CAP_SYS_ADMIN);
  needing(mayWithout, 'Landlock ABI 6 and CAP_SYS_ADMIN')('without no_new_privs', async () => {
    const options: CloneOptions = { landlock: { scope: ['signal'] }, noNewPrivileges: false };
    expect(await inside('grep NoNewPrivs /proc/self/status', options)).toBe('NoNewPrivs:\t0');
    expect(await each([`kill -0 ${process.pid}`], options)).toEqual(['no']);
  });
});

function readable(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  }
}

describe('landlock, when the kernel refuses', () => {
  const landlock: Landlock = { rules: [usual], net: [{ port: 1, access: ['bind_tcp'] }], scope: ['signal'] };
  const refused = (call: string, code: string, options: CloneOptions = { landlock }) =>
    failAt(options, calls(call), code);
  beforeEach(() => onVersion(Math.max(version, 7)));

  withAll('names the path', async () => {
    const error = await onHost({ files: hosts.free }, () => refused('openat2', 'EIO'));
    expect(fieldsOf(error)).toEqual({
      code: 'EIO',
      errno: -5,
      step: 'landlock rules',
      option: 'landlock.rules[0]',
      syscall: 'openat2',
      path: '/',
      message: 'EIO: i/o error, openat2 / (landlock.rules[0])',
    });
  });
  withRules('a path that is missing', async () => {
    const missing = { rules: [{ path: '/no/such', access: ['read'] }], minimumAbi: 1 } as const;
    await expect(clone('/bin/true', { landlock: missing })).rejects.toMatchObject({
      code: 'ENOENT',
      option: 'landlock.rules[0]',
      path: '/no/such',
      hint: 'it is missing in the root that the program has; with optional: true there is nothing to allow then',
    });
  });
  test('a descriptor that is not open', async () => {
    const bad: Landlock = { rules: [usual, { path: 987, access: ['read'] }] };
    await expect(clone('/bin/true', { landlock: bad })).rejects.toMatchObject({
      code: 'EBADF',
      option: 'landlock.rules[1]',
      hint: 'descriptor 987 is not open in Node',
    });
  });
  withRules('rights of folders for a file', async () => {
    const file = folder.file('file', '');
    const bad: Landlock = { rules: [usual, { path: file, access: ['read_file', 'make_dir', 'read_dir'] }] };
    await expect(clone('/bin/true', { landlock: bad })).rejects.toMatchObject({
      code: 'EINVAL',
      syscall: 'landlock_add_rule',
      option: 'landlock.rules[1]',
      path: file,
      hint: 'it is no folder, and only folders have the rights read_dir, make_dir',
    });
  });
  withRules('a link that leads to what set-up has open', async () => {
    const bad: Landlock = { rules: [usual, { path: '/proc/self/fd/0', access: ['read_file'] }] };
    await expect(clone('/bin/true', { landlock: bad })).rejects.toMatchObject({
      code: 'ELOOP',
      hint: expect.stringContaining('give the descriptor') as string,
    });
  });
  withRules('what is no file of a file system', async () => {
    const error = await refused('landlock_add_rule', 'EBADFD', {
      landlock: { rules: [{ path: 0, access: ['read_file'] }] },
    });
    expect(error).toMatchObject({ option: 'landlock.rules[0]', path: 'descriptor 0' });
    expect(error.hint).toContain('no file of a file system');
  });
  withRules('a command that no rule allows to execute', async () => {
    await expect(clone('/bin/true', { landlock: { rules: [] } })).rejects.toMatchObject({
      code: 'EACCES',
      step: 'command',
      hint: 'the rules of the option landlock must allow to execute it, and what it names as its interpreter',
    });
  });
  withAll('what this kernel is built without', async () => {
    expect((await refused('landlock_create_ruleset', 'ENOSYS')).hint).toContain('CONFIG_SECURITY_LANDLOCK');
    expect((await refused('landlock_add_rule(r1, LANDLOCK_RULE_NET_PORT', 'EAFNOSUPPORT')).hint).toContain(
      'without TCP',
    );
  });
  test('a filter of a container', async () => {
    for (const code of ['ENOSYS', 'EPERM']) {
      const error = await onHost({ files: hosts.filtered }, () => refused('landlock_create_ruleset', code));
      expect(error.hint).toContain('its profile must allow landlock_create_ruleset');
    }
  });
  withAll('too many rulesets, or no right to one', async () => {
    expect((await refused('landlock_restrict_self', 'E2BIG')).hint).toContain('16 rulesets');
    const options: CloneOptions = { landlock, noNewPrivileges: false };
    expect(await refused('landlock_restrict_self', 'EPERM', options)).toMatchObject({
      step: 'landlock',
      option: 'landlock',
      hint: 'needs noNewPrivileges, or CAP_SYS_ADMIN',
    });
  });
  const mayNot = version >= 6 && !hasCapability(constants.CAP_SYS_ADMIN);
  needing(mayNot, 'Landlock ABI 6 and no CAP_SYS_ADMIN')('an ordinary user without no_new_privs', async () => {
    await expect(clone('/bin/true', { landlock: { scope: ['signal'] }, noNewPrivileges: false })).rejects.toMatchObject(
      { code: 'EPERM', option: 'landlock' },
    );
  });
});

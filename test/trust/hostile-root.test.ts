// A root that somebody else has filled: whatever lies where a target should be, no mount and no file gets out of it, and nothing hangs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, type Mount, plan, SyscallError } from '../../lib';
import { hostMounts } from '../support/mount-info';
import { nextLine } from '../support/attack';
import { isLinux, rootOnly } from '../support/capability';
import { compiled, withCompiler } from '../support/compiled';
import { callsItself, kernels } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { proc, programs } from '../support/root-folder';
import { slow } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();

const base = owned(Flags.NEWNS | Flags.NEWPID);
// Before the folder goes.
afterEach(expectUntouched);
const folder = temporaryFolder();
let root = '';
/** A folder of the host, beside the root, with a file of the same name as one in the root. */
let outside = '';
let table: string[] = [];
let modes: number[] = [];
beforeEach(() => {
  root = folder.folder('root');
  outside = folder.folder('outside');
  writeFileSync(join(outside, 'file'), 'of the host');
  table = hostMounts();
  modes = modesOutside();
});

function modesOutside(): number[] {
  return [statSync(outside).mode, statSync(join(outside, 'file')).mode];
}

/** Nothing of the host was changed: no mount, no file, no permission. */
function expectUntouched(): void {
  expect(readdirSync(outside)).toEqual(['file']);
  expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('of the host');
  expect(modesOutside()).toEqual(modes);
  expect(hostMounts()).toEqual(table);
}

/** One of each type that goes to a target, and what it takes to get there. */
const entries = (target: string): Mount[] => [
  { type: 'bind', source: '/usr', target, create: true },
  { type: 'bind', source: '/etc/passwd', target, create: true },
  { type: 'proc', target, create: true },
  { type: 'tmpfs', target, create: true },
  { type: 'devpts', target, create: true },
  { type: 'overlay', lower: ['/usr'], upper: 'tmpfs', target, create: true },
  { type: 'mask', target },
  { type: 'readonly', target },
  { type: 'file', target, content: 'ours', create: true },
  { type: 'file', target, content: 'ours', place: true },
  { type: 'symlink', target, to: 'ours' },
  { type: 'dir', target },
  { type: 'dir', target: `${target}/made/below` },
  { type: 'file', target: `${target}/placed`, content: 'ours', place: true },
  { type: 'chmod', target, mode: 0o711 },
];

const stdio: CloneOptions['stdio'] = 'ignore';

/** 'started', or the code of the refusal, which names the entry. */
async function outcome(mounts: Mount[], more: CloneOptions = {}): Promise<string> {
  try {
    const child = await clone('/usr/bin/true', {
      ...base,
      root,
      stdio,
      timeout: slow(20_000),
      ...more,
      mounts: [...programs, ...mounts],
    });
    await child.exited;
    return 'started';
  } catch (error) {
    expect(error).toBeInstanceOf(SyscallError);
    expect((error as SyscallError).option).toMatch(/^(?:mounts\[\d+\]|root)$/);
    return (error as SyscallError).code;
  }
}

// A root lies upon ours until it is gone into: `..` of the host's own links would lead on into it, where somebody has put links, too.
describe.each(kernels)('links of the host lead to where they point on the host, %s', (_, release) => {
  callsItself(release);
  let sources = '';
  beforeEach(() => {
    sources = folder.folder('sources');
    mkdirSync(join(sources, 'good'));
    writeFileSync(join(sources, 'good/file'), 'good');
    const up = '../'.repeat(sources.split('/').length - 1);
    symlinkSync(`${up}${sources.slice(1)}/good`, join(sources, 'link'));
    mkdirSync(join(root, sources), { recursive: true });
    symlinkSync(outside, join(root, sources, 'good'));
    mkdirSync(join(root, 'target'));
  });
  const entriesOf = (source: string): [string, Mount][] => [
    ['bind', { type: 'bind', source, target: '/target' }],
    ['bind, optional', { type: 'bind', source, target: '/target', optional: true }],
    ['overlay', { type: 'overlay', lower: [source], target: '/target' }],
    ['overlay in memory', { type: 'overlay', lower: [source], upper: 'tmpfs', target: '/target' }],
    ['overlay, optional', { type: 'overlay', lower: [source], upper: 'tmpfs', target: '/target', optional: true }],
  ];

  test.each(entriesOf('').map(([name]) => name))('the source of a mount: %s', async (name) => {
    const mount = new Map(entriesOf(join(sources, 'link'))).get(name)!;
    const seen = (options: CloneOptions): Promise<string> => inside('cat /target/file', { ...base, ...options });
    expect(await seen({ root, mounts: [...programs, mount] })).toBe('good');
    // The root as one of the mounts, and upon another one.
    const asRoot: Mount = { type: 'bind', source: root, target: '/' };
    expect(await seen({ mounts: [asRoot, ...programs, mount] })).toBe('good');
    expect(await seen({ root: '/usr', mounts: [asRoot, ...programs, mount] })).toBe('good');
  });
  test('the source of one of hundreds, which are more than a child has descriptors for', async () => {
    const many = Array.from({ length: 600 }, (): Mount => ({ type: 'bind', source: outside, target: '/target' }));
    const mount: Mount = { type: 'bind', source: join(sources, 'link'), target: '/target' };
    expect(await inside('cat /target/file', { ...base, root, mounts: [...programs, ...many, mount] })).toBe('good');
    expect(await inside('cat /target/file', { ...base, root, mounts: [...programs, mount, ...many] })).toBe(
      'of the host',
    );
  });
  test('one of hundreds that has become a link since the start before', async () => {
    const source = join(sources, 'changing');
    const many = Array.from({ length: 200 }, (): Mount => ({ type: 'bind', source: outside, target: '/target' }));
    const options: CloneOptions = {
      ...base,
      root,
      mounts: [...programs, ...many, { type: 'bind', source, target: '/target' }],
    };
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'no link');
    for (let round = 0; round < 2; round++) expect(await inside('cat /target/file', options)).toBe('no link');
    renameSync(source, `${source}-before`);
    symlinkSync(readlinkSync(join(sources, 'link')), source);
    expect(await inside('cat /target/file', options)).toBe('good');
  });
  test('one of hundreds of a plan, which has become a link since, or is missing', async () => {
    const source = folder.folder('sources/changing');
    const before = Array.from({ length: 200 }, (): Mount => ({ type: 'bind', source: outside, target: '/target' }));
    const mounts: Mount[] = [...programs, ...before, { type: 'bind', source, target: '/target' }];
    const made = plan('/bin/true', [], { ...base, root, mounts });
    // Whatever a start has of its own.
    const starts = async (): Promise<unknown[]> => {
      const own = [undefined, {}, { timeout: 60_000 }, { signal: new AbortController().signal }];
      return Promise.all(
        own.map(async (options) => {
          try {
            return (await (options === undefined ? clone(made) : clone(made, options)).then((child) => child.exited))
              .code;
          } catch (error) {
            const { code, option, path, hint } = error as SyscallError;
            return { code, option, path, hint };
          }
        }),
      );
    };
    const option = `mounts[${mounts.length - 1}]`;
    expect(new Set(await starts())).toEqual(new Set([0]));
    renameSync(source, `${source}-before`);
    const missing = { code: 'ENOENT', option, path: source, hint: 'the source is missing' };
    expect(await starts()).toEqual([missing, missing, missing, missing]);
    symlinkSync(readlinkSync(join(sources, 'link')), source);
    const hint = 'there is a link in the path of the source, which was not when the program was written: write it anew';
    const isLink = { code: 'ELOOP', option, path: source, hint };
    expect(await starts()).toEqual([isLink, isLink, isLink, isLink]);
  });
  test('what was mounted before the root is seen by who is mounted after it', async () => {
    const memory = join(sources, 'memory');
    const mounts: Mount[] = [
      { type: 'tmpfs', target: memory, create: true },
      { type: 'file', target: `${memory}/file`, content: 'before', create: true },
      { type: 'bind', source: root, target: '/' },
      ...programs,
      { type: 'bind', source: memory, target: '/target' },
    ];
    expect(await inside('cat /target/file', { ...base, mounts })).toBe('before');
    rmdirSync(memory);
  });
  test('one that is missing is left out where it is optional, and named where it is not', async () => {
    for (const [name, mount] of entriesOf(join(sources, 'missing'))) {
      if (name.endsWith('optional'))
        expect(await inside('ls /target', { ...base, root, mounts: [...programs, mount] })).toBe('');
      else
        await expect(clone('/bin/true', { ...base, root, mounts: [...programs, mount] })).rejects.toMatchObject({
          code: 'ENOENT',
          option: `mounts[${programs.length}]`,
        });
    }
  });
});

describe('links in it lead to where they point in it', () => {
  const up = '../'.repeat(30);
  const links: Record<string, () => string> = {
    'an absolute one': () => outside,
    'one to a file': () => join(outside, 'file'),
    'one with more dots than folders': () => `${up}${outside.slice(1)}`,
    'one to the root': () => '/',
    'one with dots alone': () => up,
    'one to what is missing': () => join(outside, 'missing'),
    'one through a link': () => 'other/below',
  };

  test.each(Object.keys(links))('%s', async (name) => {
    // What is there inside has the names of the host's.
    for (const withSame of [false, true]) {
      for (let index = 0; index < entries('/x').length; index++) {
        const own = folder.folder(`root-${withSame}-${index}`);
        symlinkSync(links[name]!(), join(own, 'target'));
        symlinkSync(outside, join(own, 'other'));
        if (withSame) {
          mkdirSync(join(own, outside), { recursive: true });
          writeFileSync(join(own, outside, 'file'), 'of the root');
        }
        expect(await outcome([entries('/target')[index]!], { root: own })).toMatch(
          /^(?:started|ENOENT|ENOTDIR|ELOOP|EEXIST|EISDIR|EINVAL|EBUSY)$/,
        );
        expectUntouched();
      }
    }
  });

  // No name that a host has: where this does not hold, the files would be written there.
  test('a target below one is made in the root', async () => {
    const name = `nsclone-linked-${process.pid}`;
    symlinkSync(`${up}real`, join(root, name));
    mkdirSync(join(root, 'real'));
    const mounts: Mount[] = [
      { type: 'file', target: `/${name}/placed`, content: 'placed', place: true },
      { type: 'file', target: `/${name}/mounted`, content: 'mounted', create: true },
    ];
    const script = `cat /real/placed /${name}/mounted`;
    expect(await inside(script, { ...base, root, mounts: [...programs, ...mounts] })).toBe('placedmounted');
    expect(readdirSync(join(root, 'real')).sort()).toEqual(['mounted', 'placed']);
    expect(existsSync(`/${name}`)).toBe(false);
  });

  test('a proc on a link to the root is refused', async () => {
    symlinkSync('/', join(root, 'proc'));
    for (const target of ['/proc', '/proc/', '/proc/.', '/./proc//']) {
      expect(await outcome([{ type: 'proc', target }])).toBe('ENOTDIR');
      expect(await outcome([{ type: 'proc', target, create: true }])).toBe('ENOTDIR');
    }
  });

  test('links in a circle are an error', async () => {
    for (const [name, to] of [
      ['a', 'b'],
      ['b', 'a'],
      ['self', 'self'],
    ] as const)
      symlinkSync(to, join(root, name));
    for (const target of ['/a', '/self', '/a/below', '/self/below/deeper']) {
      for (const entry of entries(target)) expect(await outcome([entry])).toMatch(/^(?:ELOOP|EEXIST|ENOTDIR|started)$/);
    }
    expect(await outcome([{ type: 'tmpfs', target: '/a' }])).toBe('ELOOP');
    expect(await outcome([{ type: 'mask', target: '/a' }])).toBe('ELOOP');
  });
});

describe('magic links in it are not followed', () => {
  // A folder of the host is what they would lead to: where the child stands before it enters the root.
  const names = [
    '/proc/self/cwd',
    '/proc/self/root',
    '/proc/self/exe',
    '/proc/1/root',
    '/proc/1/cwd',
    ...Array.from({ length: 6 }, (_, fd) => `/proc/self/fd/${fd}`),
  ];

  test.each([
    ['a fresh proc', proc],
    ['that of the host', { type: 'bind', source: '/proc', target: '/proc', create: true }],
  ] as [string, Mount][])(
    'in %s',
    async (_, mount) => {
      for (const name of names) {
        for (const target of [name, `${name}${outside}`, `/link-to${name}${outside}`]) {
          for (const entry of entries(target).slice(3)) {
            // With something on the way that has descriptors open.
            const file: Mount = { type: 'file', target: '/file', content: '', create: true };
            expect(await outcome([mount, file, entry], { cwd: '/' })).not.toBe('ETIMEDOUT');
          }
        }
      }
      expect(await outcome([mount, { type: 'tmpfs', target: '/proc/self/cwd' }])).toMatch(
        /^(?:EXDEV|ELOOP|ENOENT|EACCES)$/,
      );
    },
    slow(60_000),
  );
});

describe('what is no folder and no file', () => {
  const codes = /^(?:started|ENOTDIR|EEXIST|EINVAL|ENXIO|EACCES|EISDIR)$/;

  async function tryAll(): Promise<void> {
    for (const entry of entries('/target'))
      expect([entry.type, await outcome([entry])]).toEqual([entry.type, expect.stringMatching(codes)]);
  }

  test('a pipe', async () => {
    await inside(`mkfifo ${root}/target`);
    await tryAll();
    expect(statSync(join(root, 'target')).isFIFO()).toBe(true);
  });
  test('a socket', async () => {
    const server = createServer().listen(join(root, 'target'));
    await once(server, 'listening');
    try {
      await tryAll();
    } finally {
      server.close();
      await once(server, 'close');
    }
  });
  rootOnly('a device, which nothing is written to', async () => {
    // Of memory that ends with the test.
    await inside(`mknod ${root}/target b 7 200; mknod ${root}/null c 1 3`);
    await tryAll();
    for (const target of ['/target', '/null']) {
      expect(await outcome([{ type: 'file', target, content: 'ours', place: true }])).toBe('EACCES');
      expect(
        await outcome([{ type: 'file', target, content: 'ours', place: true }], {
          flags: Flags.NEWNS,
          uidMap: undefined,
          gidMap: undefined,
        }),
      ).toBe('EACCES');
    }
  });
  test('names that are too long, or as long as can be', async () => {
    const long = (size: number): string => `/${'x'.repeat(200)}`.repeat(Math.ceil(size / 201)).slice(0, size);
    // On no disk: nobody could remove what lies so deep.
    const memory: CloneOptions = { root: { type: 'tmpfs' } };
    const deep = `/${'x/'.repeat(2048)}`;
    for (const target of [`/${'x'.repeat(256)}`, long(4096), long(5000), deep]) {
      // A folder after the other takes half a second: for what makes them, and for what looks for them.
      const tried = entries(target).filter(({ type }) => target !== deep || type === 'tmpfs' || type === 'mask');
      for (const entry of tried) {
        // What lies in a folder that can be named can be made.
        expect([entry.type, await outcome([entry], memory)]).toEqual([
          entry.type,
          expect.stringMatching(/^(?:ENAMETOOLONG|started)$/),
        ]);
      }
      expect(await outcome([{ type: 'tmpfs', target, create: true }], memory)).toBe('ENAMETOOLONG');
    }
    expect(await outcome([{ type: 'dir', target: `/${'x'.repeat(255)}` }], memory)).toBe('started');
    expect(await outcome([{ type: 'dir', target: long(4095) }], memory)).toBe('started');
  });
});

describe('CVE-2021-30465: a target that is changed while it is mounted on', () => {
  const swap = compiled('trust/swap-target');

  withCompiler('is inside all the same', async () => {
    const target = folder.folder('root/a/target');
    mkdirSync(join(target, 'below'));
    symlinkSync(`${'../'.repeat(30)}${outside.slice(1)}`, join(root, 'a/link'));
    const attacker = spawn(swap.path, [target, join(root, 'a/link')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(attacker, 'exit');
    expect(await nextLine(attacker.stdout)).toBe('ready');
    const found = new Map<string, number>();
    try {
      for (let round = 0; round < 6; round++) {
        for (const entry of [
          ...entries('/a/target'),
          ...entries('/a/target/below'),
          ...entries('/a/target/below/new'),
        ]) {
          const code = await outcome([entry]);
          found.set(code, (found.get(code) ?? 0) + 1);
        }
      }
    } finally {
      attacker.stdin.end();
    }
    const rounds = Number(await nextLine(attacker.stdout));
    await ended;
    expectUntouched();
    // Both have had their turns, and there was no code but one that is clear.
    expect(rounds).toBeGreaterThan(1000);
    expect(found.get('started')).toBeGreaterThan(0);
    expect(
      [...found.keys()].filter((code) => !/^(?:started|ENOENT|ENOTDIR|ELOOP|EEXIST|EISDIR|EINVAL|EAGAIN)$/.test(code)),
    ).toEqual([]);
  });
});

describe('CVE-2024-21626: a working directory through a descriptor', () => {
  test('leads to nothing of the host', async () => {
    const links = Array.from({ length: 60 }, (_, index) => index + 3);
    for (const number of links) symlinkSync(`/proc/self/fd/${number}`, join(root, String(number)));
    const script = `[ -e ./file ] && exit 42; [ -e .${'/..'.repeat(20)}${outside}/file ] && exit 42; exit 0`;
    const mounts: Mount[] = [...programs, proc, { type: 'file', target: '/made', content: '', create: true }];
    let entered = 0;
    for (const number of links) {
      for (const closeFds of [true, false]) {
        const options: CloneOptions = { ...base, root, mounts, cwd: `/${number}`, closeFds, stdio };
        const child = await clone('/bin/sh', ['-c', script], options).catch((error: unknown) => {
          expect(error).toMatchObject({ step: 'cwd', code: expect.stringMatching(/^(?:ENOENT|ENOTDIR|EACCES)$/) });
        });
        if (!child) continue;
        entered++;
        expect((await child.exited).code).toBe(0);
      }
    }
    expect(entered).toBeLessThan(links.length);
  });
});

describe("CVE-2025-31133: a root's own /dev/null", () => {
  test('is not what a mask is made of', async () => {
    mkdirSync(join(root, 'dev'));
    writeFileSync(join(root, 'secret'), 'secret');
    for (const to of [join(outside, 'file'), '/secret', '/proc/sysrq-trigger', '../../../..']) {
      symlinkSync(to, join(root, 'dev/null'));
      const script =
        'while read -r line; do echo "$line"; done < /secret; echo written > /secret; [ -c /secret ] && echo device';
      expect(await inside(script, { ...base, root, mounts: [...programs, { type: 'mask', target: '/secret' }] })).toBe(
        'device',
      );
      expect(readFileSync(join(root, 'secret'), 'utf8')).toBe('secret');
      expectUntouched();
      unlinkSync(join(root, 'dev/null'));
    }
  });
  test('nor a folder of it', async () => {
    mkdirSync(join(root, 'dev'));
    writeFileSync(join(root, 'dev/null'), 'planted');
    writeFileSync(join(root, 'secret'), 'secret');
    const mounts: Mount[] = [...programs, { type: 'mask', target: '/dev/null' }, { type: 'mask', target: '/secret' }];
    expect(await inside('[ -c /secret ] && [ -c /dev/null ] && echo both', { ...base, root, mounts })).toBe('both');
    expect(readFileSync(join(root, 'dev/null'), 'utf8')).toBe('planted');
  });
});

describe('CVE-2019-5736: the program of the set-up', () => {
  // Its mode is sealed since Linux 6.3; before, a change of it has the file made anew, see next-child.test.ts.
  const attempts = `
    for exe in /proc/1/exe /proc/self/exe /proc/*/exe; do
      (echo overwritten > $exe) 2>&- && echo "wrote $exe"
      (echo more >> $exe) 2>&- && echo "appended to $exe"
      ${isLinux('6.3') ? '' : 'false &&'} chmod 644 $exe 2>&- && [ "$(readlink $exe 2>&-)" != /usr/bin/chmod ] && [ "\${exe#/proc/1/}" != "$exe" ] && echo "chmod $exe"
    done
    true`;
  // The host's own programs are mounted read-only.
  for (const init of [true, false]) {
    test(`cannot be written to from a root${init ? ' beside a pid 1 of ours' : ''}`, async () => {
      expect(await inside(attempts, { ...base, root, init, mounts: [...programs, proc] })).toBe('');
      expect(await inside('echo ok', { ...base, root, mounts: programs })).toBe('ok');
    });
    rootOnly(`nor by the root of the host${init ? ', beside a pid 1 of ours' : ''}`, async () => {
      const options: CloneOptions = { flags: Flags.NEWNS | Flags.NEWPID, root, init, mounts: [...programs, proc] };
      expect(await inside(attempts, options)).toBe('');
      if (init) expect(await inside('readlink /proc/1/exe', options)).toMatch(/^\/memfd:/);
      expect(await inside('echo ok', options)).toBe('ok');
    });
  }
  test('is not in the root that it has made', async () => {
    await inside('true', { ...base, root, init: true, mounts: [...programs, proc] });
    const made = new Set([...programs.map(({ target }) => target.slice(1)), 'proc']);
    expect(readdirSync(root).filter((name) => !made.has(name))).toEqual([]);
    expect(existsSync(join(root, 'proc/self'))).toBe(false);
    for (const name of ['bin', 'lib'])
      if (made.has(name) && programs.some(({ type, target }) => type === 'symlink' && target === `/${name}`))
        expect(readlinkSync(join(root, name))).toBe(readlinkSync(`/${name}`));
  });
});

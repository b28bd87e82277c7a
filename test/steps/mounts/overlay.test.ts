// Mounts of type `overlay`: directories laid over each other.
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';

import { clone, type CloneOptions, Flags, type Mount, plan } from '../../../lib';
import { kernel } from '../../../lib/host/kernel-release';
import { asRoot } from '../../support/attack';
import { isLinux, needing } from '../../support/capability';
import { callsItself, kernels } from '../../support/host';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { mountSeen, mountsSeen } from '../../support/mount-info';
import { evaluate } from '../../support/own-process';
import { planning, refusal } from '../../support/refusal';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const base = owned(Flags.NEWNS | Flags.NEWPID);
const overlay = (fields: Partial<Mount & { type: 'overlay' }>): Mount => ({
  type: 'overlay',
  target: '/mnt',
  lower: [],
  ...fields,
});

describe('overlay rejects', () => {
  const given = (fields: object): (() => unknown) =>
    planning({ ...base, mounts: [{ type: 'overlay', target: '/mnt', lower: ['/a'], ...fields }] });

  test('layers that are none', () => {
    for (const lower of [undefined, '/a', null, {}]) {
      expect(given({ lower })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].lower'));
    }
    expect(given({ lower: [] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].lower', 'at least one'));
    expect(given({ lower: ['/a', 5] })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].lower[1]'));
    expect(given({ lower: [''] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].lower[0]'));
    expect(given({ upper: true })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].upper'));
    expect(given({ upper: '/a', work: 5 })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].work'));
  });
  test('upper without work, work without upper, work beside a tmpfs', () => {
    expect(given({ upper: '/a' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].work', 'is needed beside upper'),
    );
    expect(given({ work: '/a' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].work', 'needs upper'));
    expect(given({ upper: 'tmpfs', work: '/a' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].work', "needs upper, which is no 'tmpfs'"),
    );
  });
  test('an unknown field, with the nearest', () => {
    expect(given({ lowers: [] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].lowers', 'did you mean "lower"?'),
    );
  });
});

describe('overlay emits', () => {
  callsItself('6.18.0');
  const options = (flags: number, fields: object): string[] =>
    emitted('mounts', { flags, mounts: [overlay({ lower: ['/a', '/b'], ...fields })] }).flatMap(
      (line) => /FSCONFIG_SET_\w+, (.*), 0\)/.exec(line)?.[1] ?? [],
    );

  test('a layer after the other, the uppermost first', () => {
    expect(options(Flags.NEWNS, { upper: '/u', work: '/w' }).filter((line) => !line.includes('userxattr'))).toEqual([
      '"lowerdir+", "/a"',
      '"lowerdir+", "/b"',
      '"upperdir", "/u"',
      '"workdir", "/w"',
    ]);
  });
  test('attributes of users where we are in a user namespace', () => {
    expect(options(Flags.NEWNS | Flags.NEWUSER, {})).toContain('"userxattr", NULL');
  });
});

describe.each(kernels)('overlay, seen from inside, %s', (_, release) => {
  callsItself(release);
  const layers = (): string[] => {
    folder.file('top/both', 'top');
    folder.file('top/top', '');
    folder.file('bottom/both', 'bottom');
    folder.file('bottom/folder/below', '');
    return [folder.at('top'), folder.at('bottom')];
  };
  const writes =
    'cat /mnt/both; rm /mnt/top; rm -r /mnt/folder; mkdir /mnt/folder; echo new > /mnt/both; ls /mnt /mnt/folder; cat /mnt/both';
  const written = 'top/mnt:\nboth\nfolder\n\n/mnt/folder:\nnew';

  test('the uppermost is seen, and without an upper nothing is written', async () => {
    const script = 'cat /mnt/both; ls /mnt; (: > /mnt/new) 2>&1 || echo no';
    const seen = /^topboth\nfolder\ntop\n.*Read-only file system\nno$/;
    expect(await inside(script, { ...base, mounts: [overlay({ lower: layers() })] })).toMatch(seen);
  });
  test('a single layer', async () => {
    layers();
    const script = 'cat /mnt/both; ls /mnt; (: > /mnt/new) 2>&1 || echo no; pwd -P';
    const mounts = [overlay({ lower: [folder.at('bottom')] })];
    expect(await inside(script, { ...base, mounts })).toMatch(
      new RegExp(`^bottomboth\nfolder\n.*Read-only file system\nno\n${process.cwd()}$`),
    );
  });
  test("upper 'tmpfs': changes of every kind, which nobody sees outside and no later child", async () => {
    for (let round = 0; round < 2; round++) {
      expect(await inside(writes, { ...base, mounts: [overlay({ lower: layers(), upper: 'tmpfs' })] })).toBe(written);
    }
    expect(readFileSync(folder.at('top/both'), 'utf8')).toBe('top');
    expect(readdirSync(folder.at('bottom/folder'))).toEqual(['below']);
    expect(readdirSync(folder.path).sort()).toEqual(['bottom', 'top']);
  });
  test("upper 'tmpfs' leaves no mount beside itself, no descriptor, and the working directory as it is", async () => {
    const mounts = [overlay({ lower: layers(), upper: 'tmpfs' })];
    const points = async (list: Mount[]): Promise<string[]> =>
      (await mountsSeen({ ...base, mounts: list })).map(({ point }) => point);
    expect(await points(mounts)).toEqual([...(await points([])), '/mnt']);
    const list = (given: Mount[]): Promise<string> =>
      inside('pwd -P; ls /proc/self/fd', { ...base, mounts: given, closeFds: false });
    expect(await list(mounts)).toBe(await list([]));
  });
  test('upper and work on disk: changes stay there', async () => {
    const [upper, work] = [folder.folder('upper'), folder.folder('work')];
    expect(await inside(writes, { ...base, mounts: [overlay({ lower: layers(), upper, work })] })).toBe(written);
    expect(readFileSync(folder.at('upper/both'), 'utf8')).toBe('new\n');
    expect(readFileSync(folder.at('top/both'), 'utf8')).toBe('top');
    // And are seen by the next.
    const again = 'ls /mnt /mnt/folder; cat /mnt/both';
    expect(await inside(again, { ...base, mounts: [overlay({ lower: layers(), upper, work })] })).toBe(
      written.slice(3),
    );
  });
  test('in Node that is root of a user namespace itself', () => {
    const mount = overlay({ lower: layers(), upper: 'tmpfs' });
    const stdout = evaluate(
      `const mounts = [${JSON.stringify(mount)}];
       const { stdout } = await nsclone.run('/bin/sh', ['-c', ${JSON.stringify(writes)}], { flags: nsclone.Flags.NEWNS, mounts });
       return stdout.trimEnd();`,
      asRoot.length > 0 ? asRoot : ['unshare', '--user', '--map-root-user'],
    );
    expect(stdout).toBe(written);
  });
  test.each([':', ',', '\\', '\\\\', '\\:', 'a:b,c=d\\e', ' ', '"', 'lowerdir+', 'ä', '\n'])(
    'layers with %p in their names',
    async (name) => {
      folder.file(`lower/${name}/file`, 'content');
      const [upper, work] = [folder.folder(`upper/${name}`), folder.folder(`work/${name}`)];
      const mounts = [overlay({ lower: [folder.at(`lower/${name}`)], upper, work })];
      expect(await inside('cat /mnt/file; echo new > /mnt/new', { ...base, mounts })).toBe('content');
      expect(readdirSync(upper)).toEqual(['new']);
      expect(readdirSync(folder.at('upper'))).toEqual([name]);
    },
  );
  test('layers whose paths are longer than a string of fsconfig(2)', async () => {
    const long = 'long/'.repeat(60);
    for (const name of ['lower', 'upper', 'work']) folder.folder(`${name}/${long}`);
    folder.file(`lower/${long}/file`, 'content');
    const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => folder.at(`${name}/${long}`)) as [
      string,
      string,
      string,
    ];
    const script = 'cat /mnt/file; echo new > /mnt/new; pwd -P';
    for (const fields of [{ upper, work }, { upper: 'tmpfs' as const }])
      expect(await inside(script, { ...base, mounts: [overlay({ lower: [lower], ...fields })] })).toBe(
        `content${process.cwd()}`,
      );
    expect(readdirSync(upper)).toEqual(['new']);
    expect(await inside('cat /mnt/file', { ...base, mounts: [overlay({ lower: [lower] })] })).toBe('content');
  });
  test('a long path beside one that is missing, where that is nothing to do: the working directory is as it was', async () => {
    const long = folder.folder('long/'.repeat(60));
    const mounts = [overlay({ lower: [folder.at('missing'), long], optional: true })];
    expect(await inside('pwd -P; ls /mnt', { ...base, mounts })).toBe(await inside('pwd -P; ls /mnt', base));
  });
  test('a root that everybody may enter, whatever our umask is', async () => {
    const before = process.umask(0o077);
    try {
      const mounts = [overlay({ lower: layers(), upper: 'tmpfs' })];
      expect(await inside('stat -c %a /mnt; umask', { ...base, mounts })).toBe('755\n0077');
    } finally {
      process.umask(before);
    }
  });
  test('many layers', async () => {
    const lower = Array.from({ length: 60 }, (_, index) => {
      folder.file(`${index}/file`, String(index));
      folder.file(`${index}/of-${index}`, '');
      return folder.at(String(index));
    });
    const mounts = [overlay({ lower, upper: 'tmpfs' })];
    expect(await inside('cat /mnt/file; ls /mnt | wc -l', { ...base, mounts })).toBe('061');
  });
  test('options of its own', async () => {
    const mounts = [overlay({ lower: layers(), upper: 'tmpfs', options: { volatile: true, xino: 'off' } })];
    // Since Linux 6.18 as one of several.
    expect((await mountSeen('/mnt', { ...base, mounts })).options.join(' ')).toMatch(/(?:^| |fsync=)volatile(?: |$)/);
  });
  test('optional: a layer that is missing is nothing to do', async () => {
    const lower = [...layers(), folder.at('missing')];
    for (const more of [{}, { upper: 'tmpfs' }]) {
      const mounts: Mount[] = [
        overlay({ lower, optional: true, ...more }),
        { type: 'file', target: '/mnt/file', content: 'later', place: true },
      ];
      const list: Mount[] = [{ type: 'tmpfs', target: '/mnt' }, ...mounts];
      expect(await inside('ls /mnt; pwd -P', { ...base, mounts: list })).toBe(`file\n${process.cwd()}`);
    }
  });
});

test('an upper layer whose paths are longer than a kernel takes, and mounts that are shared meanwhile', () => {
  const long = { lower: ['/usr'], upper: `/${'long/'.repeat(300)}`, work: `/other/${'long/'.repeat(300)}` };
  const planned = (release: string, fields: Partial<Mount & { type: 'overlay' }>, more: CloneOptions = {}): void => {
    const { release: own } = kernel;
    kernel.release = () => release;
    try {
      plan('/bin/true', [], { ...base, ...more, mounts: [overlay(fields)] });
    } finally {
      kernel.release = own;
    }
  };
  expect(() => planned('6.1.0', long)).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].upper', 'it has 3000 bytes before Linux 6.7'),
  );
  expect(() => planned('6.12.0', long)).not.toThrow();
  const label = { context: 'system_u:object_r:container_file_t:s0' };
  const labelled = { lower: ['/usr', '/etc'], options: label } as const;
  expect(() => planned('6.1.0', labelled)).not.toThrow();
  const both = { lower: ['/usr'], options: { context: 's0:c1,c2' } };
  expect(() => planned('6.1.0', both)).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].options.context', 'cannot have a comma before Linux 6.15'),
  );
  const options = { context: 'x'.repeat(3000) };
  expect(() => planned('6.12.0', { lower: ['/usr'], upper: 'tmpfs', options })).toThrow(
    refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].options', 'it has 3000 bytes before Linux 6.15'),
  );
  const memory = { lower: ['/usr'], upper: 'tmpfs' } as const;
  for (const propagation of ['shared', 'unchanged'] as const) {
    expect(() => planned('6.12.0', memory, { propagation })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'propagation', 'beside the layers of mounts[0] before Linux 6.15'),
    );
    expect(() => planned('6.15.0', memory, { propagation })).not.toThrow();
  }
  for (const propagation of ['slave', 'private'] as const)
    expect(() => planned('6.1.0', memory, { propagation })).not.toThrow();
});

describe.each(kernels)('overlay, when the kernel refuses, %s', (_, release) => {
  callsItself(release);
  const refused = (fields: Partial<Mount & { type: 'overlay' }>): Promise<unknown> =>
    clone('/bin/true', { ...base, mounts: [overlay(fields)] }).then(
      () => 'started',
      (error: unknown) => error,
    );

  const isOld = release !== undefined || !isLinux('6.7');

  test('a layer that is missing, or no directory', async () => {
    const missing = {
      syscall: isOld ? 'openat' : 'fsconfig',
      option: 'mounts[0]',
      hint: 'one of the layers is missing, or no directory',
    };
    expect(await refused({ lower: [folder.at('missing'), '/usr'] })).toMatchObject({ code: 'ENOENT', ...missing });
    const file = folder.file('file', '');
    expect(await refused({ lower: [`${file}/below`, '/usr'] })).toMatchObject({ code: 'ENOTDIR', ...missing });
    expect(await refused({ lower: [file, '/usr'] })).toMatchObject(
      isOld
        ? { code: 'ENOTDIR', ...missing }
        : {
            code: 'EINVAL',
            hint: expect.stringMatching(/^each layer must be a directory/),
            message: expect.stringMatching(
              new RegExp(`attributes; the kernel says: overlay: ${file} is not a directory$`),
            ),
          },
    );
    expect(existsSync(folder.at('missing'))).toBe(false);
  });
  const tells = needing(isLinux('6.5'), 'an overlay that says what it does not like, Linux 6.5');
  tells('an option that is none, and one with a value that is none', async () => {
    const told = async (options: Record<string, string>): Promise<string> => {
      const mounts: Mount[] = [{ type: 'filesystem', fstype: 'overlay', target: '/mnt', options }];
      return String(await clone('/bin/true', { ...base, mounts }).catch((error: unknown) => error));
    };
    expect(await told({ 'lowerdir+': '/usr', upper: '/etc' })).toMatch(
      /\(mounts\[0\]\): the kernel says: overlay: Unknown parameter 'upper'$/,
    );
    expect(await told({ metacopy: 'maybe' })).toMatch(/the kernel says: overlay: Bad value for 'metacopy'$/);
  });
  test('a layer with mounts of the host below it, in a user namespace', async () => {
    expect(await refused({ lower: ['/'] })).toMatchObject({
      code: 'EINVAL',
      hint: expect.stringMatching(/^in a user namespace a layer may have no mount below it, and \/ has \/\w+/),
    });
  });
  test('layers of which one lies below another', async () => {
    expect(await refused({ lower: ['/usr', '/usr/lib'] })).toMatchObject({
      code: 'ELOOP',
      hint: 'a layer, upper or work is another one of them or lies below it',
    });
    for (const [upper, work] of [
      ['/tmp/a', '/tmp/a'],
      ['/tmp/a', '/tmp/a/work'],
      ['/tmp/a/upper', '/tmp/a'],
    ])
      expect(await refused({ lower: ['/usr'], upper: upper!, work: work! })).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
        option: 'mounts[0].work',
      });
  });
  test('upper and work on two file systems', async () => {
    const upper = folder.folder('upper');
    expect(await refused({ lower: [folder.folder('lower')], upper, work: '/dev/shm' })).toMatchObject({
      code: expect.stringMatching(/^E(?:INVAL|XDEV)$/),
      syscall: isOld ? 'mount' : 'fsconfig',
    });
  });
  test('upper and work behind a link that goes through /, where the kernel does', async () => {
    const [lower, changes] = [folder.folder('lower'), folder.folder('changes')];
    for (const name of ['upper', 'work']) folder.folder(`changes/${name}`);
    symlinkSync(`${'../'.repeat(40)}${changes.slice(1)}`, folder.at('link'));
    const [upper, work] = ['link/upper', 'link/work'].map((path) => folder.at(path)) as [string, string];
    const told = await refused({ lower: [lower], upper, work });
    if (!isOld) expect(told).toBe('started');
    else
      expect(told).toMatchObject({
        code: 'ENOENT',
        syscall: 'mount',
        option: 'mounts[0]',
        hint: 'before Linux 6.7 the paths of upper and work cannot have relative links that go through /; give them without',
      });
  });
  test('a target that is missing', async () => {
    expect(await refused({ lower: ['/usr', '/etc'], target: folder.at('missing') })).toMatchObject({
      code: 'ENOENT',
      syscall: 'openat2',
      hint: 'the target is missing; create: true makes it',
    });
  });
});

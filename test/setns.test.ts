// setns() and setnsSync(): by path, descriptor, pid and pidfd, and what is refused.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Flags, setns, setnsSync } from '../lib';
import { evaluate } from './support/own-process';

const isRoot = process.getuid!() === 0;
const asRoot = isRoot ? it : it.skip;
const whenRoot = isRoot ? '' : ' (skipped: needs CAP_SYS_ADMIN)';

/** A child in namespaces of its own that waits, as `child`; it ends with its stdin. */
const withChild = (flags: string, body: string): string => `
  const link = (kind, pid = 'thread-self') => fs.readlinkSync('/proc/' + pid + '/ns/' + kind);
  const { Flags, setnsSync } = nsclone;
  const child = await nsclone.clone('cat', [], { flags: ${flags}, stdio: ['pipe', 'ignore', 'inherit'] });
  try { ${body} } finally { child.stdin.end(); await child.exited; }`;

describe('setns enters', () => {
  asRoot(`a namespace by path, by descriptor, by pid and by pidfd${whenRoot}`, () => {
    const [theirs, ...entered] = evaluate<string[]>(
      withChild(
        'nsclone.Flags.NEWNET',
        `const home = fs.openSync('/proc/thread-self/ns/net');
         const path = '/proc/' + child.pid + '/ns/net';
         const fd = fs.openSync(path);
         const seen = [link('net', child.pid)];
         for (const target of [path, { fd }, { pid: child.pid }, { pidfd: child.pidfd }, { pid: child.pid, flags: Flags.NEWNET }]) {
           setnsSync(target);
           seen.push(link('net'));
           setnsSync({ fd: home });
         }
         return seen;`,
      ),
    );
    expect(entered).toEqual([theirs, theirs, theirs, theirs, theirs]);
  });

  asRoot(`all namespaces of a process that differ from ours, at once${whenRoot}`, () => {
    const same = evaluate<boolean[]>(
      withChild(
        'nsclone.Flags.NEWNET | nsclone.Flags.NEWUTS | nsclone.Flags.NEWNS',
        `setnsSync({ pid: child.pid });
         return ['net', 'uts', 'mnt', 'ipc'].map((kind) => link(kind) === link(kind, child.pid));`,
      ),
    );
    expect(same).toEqual([true, true, true, true]);
  });

  asRoot(`a mount namespace, and comes back${whenRoot}`, () => {
    const [inside, back] = evaluate<boolean[]>(
      withChild(
        'nsclone.Flags.NEWNS',
        `const home = fs.openSync('/proc/thread-self/ns/mnt');
         const before = link('mnt');
         setnsSync('/proc/' + child.pid + '/ns/mnt');
         const inside = link('mnt') === link('mnt', child.pid);
         setnsSync({ fd: home });
         return [inside, link('mnt') === before];`,
      ),
    );
    expect([inside, back]).toEqual([true, true]);
  });

  asRoot(`a pid namespace for the children to come${whenRoot}`, () => {
    const theirs = evaluate<boolean>(
      withChild(
        'nsclone.Flags.NEWPID',
        `setnsSync({ pid: child.pid, flags: Flags.NEWPID });
         const born = await nsclone.clone('cat', [], { stdio: ['pipe', 'ignore', 'inherit'] });
         const same = link('pid', born.pid) === link('pid', child.pid);
         born.stdin.end();
         await born.exited;
         return same;`,
      ),
    );
    expect(theirs).toBe(true);
  });
});

describe('setns refuses', () => {
  it('a user namespace, with the way that works', () => {
    expect(() => setnsSync('/proc/self/ns/user')).toThrow(/CLONE_NEWUSER.*join of clone\(\)/);
  });

  it('a time namespace, with the way that works', () => {
    expect(() => setnsSync('/proc/self/ns/time')).toThrow(/CLONE_NEWTIME.*join of clone\(\)/);
  });

  it('a kind that is not the one asked for', () => {
    expect(() => setnsSync('/proc/self/ns/net', Flags.NEWUTS)).toThrow(/must be CLONE_NEWUTS, but it is CLONE_NEWNET/);
  });

  it('flags that are no namespaces', () => {
    expect(() => setnsSync('/proc/self/ns/net', Flags.FS)).toThrow(/CLONE_FS: it is no namespace/);
  });

  it('what is no namespace', () => {
    expect(() => setnsSync('/proc/self/status')).toThrow(/must be a namespace/);
  });

  it('a fifo, without hanging', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    try {
      execFileSync('mkfifo', [join(folder, 'fifo')]);
      expect(() => setnsSync(join(folder, 'fifo'))).toThrow(/must be a namespace/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([[{}], [{ fd: 1, pid: 1 }], [{ pid: 0 }], [{ pid: 1.5 }], [{ fd: -1 }], [null], [7], [{ fdd: 3 }], ['']])(
    '%p as a target',
    async (target) => {
      await expect(setns(target as never)).rejects.toMatchObject({ option: expect.stringMatching(/^target|fdd/) });
    },
  );

  it('a closed descriptor, a missing path and a dead process with the error of the kernel', () => {
    expect(() => setnsSync({ fd: 123_456 })).toThrow(/^EBADF: .*target\.fd/);
    expect(() => setnsSync({ pidfd: 123_456 })).toThrow(/^EBADF: .*target\.pidfd/);
    expect(() => setnsSync('/proc/self/ns/nothing')).toThrow(/^ENOENT: .*open \/proc\/self\/ns\/nothing/);
    expect(() => setnsSync({ pid: 4_000_000 })).toThrow(/^ESRCH: .*pidfd_open \/proc\/4000000/);
  });

  it('a descriptor of something else as a pidfd', () => {
    const descriptor = openSync('/dev/null', 'r');
    try {
      expect(() => setnsSync({ pidfd: descriptor })).toThrow(/must be a descriptor of a process/);
    } finally {
      closeSync(descriptor);
    }
  });

  it('and leaves no descriptor open', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (const target of ['/proc/self/ns/user', '/proc/self/status', { pid: 4_000_000 }]) {
      expect(() => setnsSync(target)).toThrow(/./);
    }
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

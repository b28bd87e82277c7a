// Nobody looks in: a process of ours that stands in somebody's container, waits there or stays as its pid 1, is closed to the
// root of that container, whatever way it tries (the class of CVE-2016-9962).
import { existsSync, readFileSync } from 'node:fs';

import { clone, type ClonedProcess, type CloneOptions, Flags, plan } from '../../lib';
import { asleep, containers, longer, nextLine } from '../support/attack';
import { compiled, withCompiler } from '../support/compiled';
import { fifo, opened } from '../support/fifo';
import { inside } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { isCall, type Line, linesOf } from '../support/listing';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

const look = compiled('trust/look-into');
const { NEWIPC, NEWNET, NEWNS, NEWPID, NEWTIME, NEWUSER, NEWUTS } = Flags;
const container = containers['root of a user namespace'];

/** The ways that are open, of all that were tried. */
function reached(answers: string): string[] {
  const told = Object.entries(JSON.parse(answers) as Record<string, string>);
  expect(told.length).toBeGreaterThan(15);
  return told.filter(([, answer]) => answer !== 'EACCES' && answer !== 'EPERM').map((way) => way.join(' '));
}

/** A container whose root looks into the processes that it is told of. */
class Watched {
  readonly #child: ClonedProcess;

  private constructor(child: ClonedProcess) {
    this.#child = child;
  }

  static async start(options: CloneOptions = container): Promise<Watched> {
    const script = `echo ready; while read -r pid; do ${look.path} $pid; done`;
    const child = await clone('/bin/sh', ['-c', script], { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
    await nextLine(child.stdout!);
    return new Watched(child);
  }

  get child(): ClonedProcess {
    return this.#child;
  }

  /** What its root reaches of a process, whose pid is that of our own pid namespace. */
  async reaches(pid: number): Promise<string[]> {
    const numbers = /^NSpid:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!.split('\t');
    this.#child.stdin!.write(`${numbers[1] ?? numbers[0]}\n`);
    return reached(await nextLine(this.#child.stdout!));
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#child.exited;
  }
}

async function watched(use: (other: Watched) => Promise<void>, options?: CloneOptions): Promise<void> {
  const other = await Watched.start(options);
  try {
    await use(other);
  } finally {
    await other.end();
  }
}

/** Runs while a child waits or sleeps, and ends it. */
async function during(child: ClonedProcess, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

const quiet: CloneOptions = { stdio: 'ignore' };
/** A container that sees the processes of our pid namespace. */
const neighbour = {
  flags: NEWUSER | NEWNS | NEWUTS,
  uidMap: 'root',
  gidMap: 'root',
  setgroups: 'deny',
} as const satisfies CloneOptions;

/** Yama lets nobody trace, in neither of two ways. */
const scope = '/proc/sys/kernel/yama/ptrace_scope';
const nobodyTraces = existsSync(scope) && readFileSync(scope, 'utf8').trim() === '3';

withCompiler('a program of the container itself is reached in all these ways', () =>
  watched(async (other) => {
    const child = await clone('/bin/sleep', [longer], { ...quiet, join: other.child });
    await during(child, async () => {
      await asleep(child.pid);
      expect((await other.reaches(child.pid)).length).toBeGreaterThan(nobodyTraces ? 13 : 15);
    });
  }),
);

describe('pid 1', () => {
  withCompiler('is closed to its program, which is root there', async () => {
    expect(reached(await inside(`exec ${look.path} 1`, { ...container, init: true }))).toEqual([]);
  });

  withCompiler('is closed from the first moment of the program on', async () => {
    for (let round = 0; round < 10; round++) {
      const child = await clone(look.path, ['1'], { ...container, init: true, stdio: ['ignore', 'pipe', 'inherit'] });
      expect(reached(await nextLine(child.stdout))).toEqual([]);
      await child.exited;
    }
  });

  withCompiler('is closed after a change of ids, and with groups of its own', async () => {
    const options = { ...container, init: true, uid: 0, gid: 0, cwd: '/', noNewPrivileges: true };
    expect(reached(await inside(`exec ${look.path} 1`, options))).toEqual([]);
  });

  withCompiler('that is held is closed to a process that joins its namespaces', async () => {
    const child = await clone('/bin/true', { ...container, ...quiet, init: true, hold: true });
    await during(child, async () => {
      expect(reached(await inside(`exec ${look.path} 1`, { join: child }))).toEqual([]);
    });
  });
});

describe('a held child', () => {
  withCompiler('that is the pid 1 of its container is closed to a process that joins it', async () => {
    const child = await clone('/bin/true', { ...container, ...quiet, hold: true });
    await during(child, async () => {
      expect(reached(await inside(`exec ${look.path} 1`, { join: child }))).toEqual([]);
    });
  });

  const joined: [string, (other: ClonedProcess) => CloneOptions][] = [
    ['that has joined all of a container', (join) => ({ join })],
    [
      'that has joined some of its namespaces',
      ({ pid }) => ({ join: { pid, flags: NEWUSER | NEWPID | NEWNS } as const }),
    ],
    ['with ids of its own there', (join) => ({ join, uid: 0, gid: 0, cwd: '/' })],
    ['with namespaces of its own below', (join) => ({ join, flags: NEWUTS | NEWNET | NEWIPC, hostname: 'below' })],
  ];
  for (const [name, options] of joined) {
    withCompiler(`${name} is closed to the root of that`, () =>
      watched(async (other) => {
        const child = await clone('/bin/true', { ...quiet, ...options(other.child), hold: true });
        await during(child, async () => {
          expect(await other.reaches(child.pid)).toEqual([]);
        });
      }),
    );
  }

  const besides: [string, CloneOptions][] = [
    ['in a container that shares our pid namespace', {}],
    ['with a pid namespace of its own below', { flags: NEWPID }],
    ['with a pid 1 of ours below', { flags: NEWPID, init: true }],
  ];
  for (const [name, options] of besides) {
    withCompiler(`${name} is closed to the root of what it has joined`, () =>
      watched(async (other) => {
        const child = await clone('/bin/true', { ...quiet, ...options, join: other.child, hold: true });
        await during(child, async () => {
          expect(await other.reaches(child.pid)).toEqual([]);
        });
      }, neighbour),
    );
  }

  const waiting: [string, CloneOptions, CloneOptions?][] = [
    ['that waits for a byte', {}],
    ['that waits for a byte as pid 1 of ours', { flags: NEWPID, init: true }, neighbour],
  ];
  for (const [name, options, beside] of waiting) {
    withCompiler(`${name} is closed to the root of what it has joined`, () =>
      watched(async (other) => {
        const hold = { fd: opened(fifo(folder.at('start'))), report: opened(fifo(folder.at('report'))) };
        const child = await clone('/bin/true', { ...quiet, ...options, join: other.child, hold });
        await during(child, async () => {
          expect(await other.reaches(child.pid)).toEqual([]);
        });
      }, beside),
    );
  }

  withCompiler('is the same for Node as before: its namespaces can be had, and it can be joined', () =>
    watched(async (other) => {
      const child = await clone('/bin/true', { ...quiet, join: other.child, hold: true });
      await during(child, async () => {
        const namespace = child.namespace('uts');
        const theirs = other.child.namespace('uts');
        try {
          expect(namespace.equals(theirs)).toBe(true);
          expect(await inside('echo joined', { join: child })).toBe('joined');
        } finally {
          namespace.close();
          theirs.close();
        }
      });
    }),
  );
});

describe('a pid 1 of ours in a container that was joined', () => {
  withCompiler('is closed to the root of that, while its program runs', () =>
    watched(async (other) => {
      const child = await clone('/bin/sleep', [longer], { ...quiet, join: other.child, flags: NEWPID, init: true });
      await during(child, async () => {
        expect(await other.reaches(child.pid)).toEqual([]);
      });
    }, neighbour),
  );
});

describe('on its way', () => {
  const { flags: own } = container;
  const below = { flags: NEWUSER, uidMap: 'root', gidMap: 'root', setgroups: 'deny' } as const;
  const ways: [string, CloneOptions, number, CloneOptions?][] = [
    ['a child that joins', {}, own],
    ['a child that joins and makes namespaces below', { flags: NEWUTS | NEWIPC | NEWNET, hostname: 'below' }, own],
    ['a child that joins and waits until it is started', { hold: true }, own],
    ['a child that makes a user namespace below what it joins', below, NEWUSER, neighbour],
    [
      'one that makes a time namespace, too',
      { ...below, flags: NEWUSER | NEWTIME, timeOffsets: { boottime: { seconds: 5 } } },
      NEWUSER,
      neighbour,
    ],
  ];
  for (const [name, options, joined, beside] of ways) {
    // An ordinary user owns the files that are written only while the process may be looked into.
    const asRoot = options.uidMap === undefined || process.getuid!() === 0;
    const attack = asRoot ? withCompiler : test.skip;
    attack(`${name} is never caught before it is the program`, async () => {
      const hunter = await clone(look.path, ['hunt'], {
        ...(beside ?? container),
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      expect(await nextLine(hunter.stdout!)).toBe('ready');
      for (let round = 0; round < 40; round++) {
        const join = { pid: hunter.pid, flags: joined };
        const child = await clone('/bin/true', { ...quiet, ...options, join });
        if (options.hold) await child.start();
        await child.exited;
      }
      hunter.stdin!.end('stop\n');
      expect(JSON.parse(await nextLine(hunter.stdout!))).toEqual({ caught: 0 });
      await hunter.exited;
    });
  }
});

// Where fs.suid_dumpable is 1 the kernel opens whoever changes its ids to everybody. That is a setting of the host's, which no test
// changes: what stands in the plan is the rule.
describe('a change of credentials', () => {
  const change = /^(?:setns\(.*CLONE_NEWUSER\)|setres[ug]id|setfs[ug]id|capset)/;
  /** What may stand between the change and the call that closes it again. */
  const quick = /^(?:set(?:res|fs)[ug]id|setgroups|capset|prctl|close)\b/;
  const exposed: [string, CloneOptions][] = [
    ['of one that is held', { ...container, hold: true, uid: 0, gid: 0, capabilities: [] }],
    ['of a pid 1', { ...container, init: true, uid: 0, gid: 0, cwd: '/' }],
    ['of one that joins a user namespace', { join: '/proc/self/ns/user', uid: 0, gid: 0 }],
    ['of one that joins another first', { join: ['/proc/self/ns/net', '/proc/self/ns/user'], cwd: '/' }],
    ['of one that makes one below it', { ...container, join: '/proc/self/ns/user', gidMap: undefined }],
    ['of one with another user namespace inside', { ...container, init: true, inner: { uidMap: 'root' } }],
    [
      'of one that opens a terminal there',
      { join: ['/proc/self/ns/mnt', '/proc/self/ns/user'], pty: { from: 'container' } },
    ],
  ];
  test.each(exposed)('%s opens it for no longer than a few calls', (_, options) => {
    const lines = linesOf(plan('/bin/true', [], options)).filter(isCall);
    const isClosing = (line: Line): boolean => line.call.startsWith('prctl(PR_SET_DUMPABLE, 0');
    const first = lines.findIndex(isClosing);
    expect(first).toBeGreaterThan(0);
    const open = lines.filter((line, index) => {
      if (index < first || !change.test(line.call)) return false;
      const next = lines.slice(index + 1).find((later) => isClosing(later) || !quick.test(later.call));
      return next === undefined || !isClosing(next);
    });
    expect(open.map(({ call }) => call)).toEqual([]);
    expect(lines.filter(({ call }) => change.test(call)).length).toBeGreaterThan(0);
  });
});

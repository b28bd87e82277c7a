// Who is who, the kernel says: a container's root that writes into the page that we share with a child of ours does not
// get a process of the host taken for that child.
import { type CloneOptions, run } from '../../lib';
import { Bystanders, containers, longer, rootWithCompiler } from '../support/attack';
import { compiled, withCompiler } from '../support/compiled';
import { evaluate } from '../support/own-process';
import { slow } from '../support/slow';

const rewrite = compiled('trust/rewrite-report');

/** Every word of the page by itself, so that all else that it says stays plausible; and the whole page. */
const words = [...Array.from({ length: 16 }, (_, index) => index), -1];

interface Attempt {
  readonly word: number;
  readonly pid: 'its own' | 'of a bystander' | 'none';
  /** Exit code or signal, 'pending', or the code of what clone() or start() rejected with. */
  readonly end: string | number;
}

/** Beside a pid 1 the hostile program is the child: it ends by itself, after so many milliseconds. */
const beside = slow(400);

/** A container that is joined lasts longer than what is attacked in it, and is ended by the script. */
const joined = Number(longer) * 1000;

/**
 * One container for each word, while the event loop is busy. `start` is an expression for the child that is attacked, of
 * `rewrite` (what the hostile program is called with), `container` (its options) and `index`.
 */
function attempts(
  container: CloneOptions,
  bystanders: Bystanders,
  start: string,
  lasting: number,
  before = '',
): Attempt[] {
  return evaluate<Attempt[]>(
    `const { clone } = nsclone;
     const container = ${JSON.stringify(container)};
     const bystanders = ${JSON.stringify(bystanders.pids)};
     const words = ${JSON.stringify(words)};
     const rewrite = words.map((word, index) => [${JSON.stringify(rewrite.path)}, [word, bystanders[index], ${lasting}].map(String)]);
     const soon = (promise) => Promise.race([
       promise.catch((error) => ({ failed: error.code ?? String(error) })),
       new Promise((resolve) => setTimeout(resolve, slow(6000), { failed: 'pending' })),
     ]);
     // What is pending for ever keeps nobody waiting.
     setTimeout(() => process.exit(1), slow(20_000));
     await (await clone('/bin/true', { stdio: 'ignore' })).exited;
     ${before}
     const starts = words.map((word, index) => ${start});
     Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, slow(250));
     const found = await Promise.all(starts.map(async (start, index) => {
       const word = words[index];
       const child = await soon(start);
       if (child.failed !== undefined) return { word, pid: 'none', end: child.failed };
       const pid = bystanders.includes(child.pid) ? 'of a bystander' : 'its own';
       const started = typeof held === 'undefined' ? {} : await soon(child.start().then(() => ({})));
       const end = started.failed === undefined ? await soon(child.exited) : started;
       return { word, pid, end: end.failed ?? end.code ?? end.signal };
     }));
     if (typeof hostile !== 'undefined') for (const one of hostile) one.kill('SIGKILL');
     setImmediate(() => process.exit(0));
     return found;`,
  );
}

/** For held children: the containers that they join. */
const hostiles = `const held = true;
  const hostile = await Promise.all(rewrite.map((argv) => clone(...argv, { ...container, stdio: 'ignore' })));`;

/** Whoever traces a process that is killed keeps it from its parent as long as he lasts: here no longer than so. */
const theirEnd = `
  setTimeout(() => { for (const one of hostile) one.kill('SIGKILL'); }, slow(600));`;

async function withBystanders(use: (bystanders: Bystanders) => void): Promise<void> {
  const bystanders = await Bystanders.start(words.length);
  try {
    use(bystanders);
  } finally {
    await bystanders.end();
  }
}

const endsWith7 = words.map((word) => ({ word, pid: 'its own', end: 7 }));
const theirOwn = words.map((word) => ({ word, pid: 'its own' }));
const settled = ({ end }: Attempt): boolean => end !== 'pending';

for (const [root, container] of Object.entries(containers)) {
  const own = root !== 'root of the host';
  const attack = own ? withCompiler : rootWithCompiler;

  describe(`the page, written by ${root}`, () => {
    attack('beside an init, while the event loop is busy: the child is the child, and its end is told', () =>
      withBystanders((bystanders) => {
        const found = attempts(
          container,
          bystanders,
          "clone(...rewrite[index], { ...container, init: true, stdio: 'ignore' })",
          beside,
        );
        expect(bystanders.dead()).toEqual([]);
        // Root of the host may do anything to pid 1. How it ends is its own affair, but not who it is.
        expect(found).toMatchObject(own ? endsWith7 : theirOwn);
        expect(found.filter((attempt) => !settled(attempt))).toEqual([]);
      }),
    );

    attack('beside an init, with a timeout: nobody else is killed', () =>
      withBystanders((bystanders) => {
        const found = attempts(
          container,
          bystanders,
          "clone(...rewrite[index], { ...container, init: true, stdio: 'ignore', timeout: slow(100), killSignal: 'SIGKILL' })",
          beside,
        );
        expect(bystanders.dead()).toEqual([]);
        expect(found.filter(({ pid }) => pid === 'of a bystander')).toEqual([]);
        expect(found.filter((attempt) => !settled(attempt))).toEqual([]);
      }),
    );

    attack('of a held child that joins: it is who it is, runs, and its end is told', () =>
      withBystanders((bystanders) => {
        const found = attempts(
          container,
          bystanders,
          "clone('/bin/sh', ['-c', 'exit 7'], { join: hostile[index], hold: true, stdio: 'ignore' })",
          joined,
          own ? hostiles : hostiles + theirEnd,
        );
        expect(bystanders.dead()).toEqual([]);
        expect(found.filter(({ pid }) => pid === 'of a bystander')).toEqual([]);
        if (own) expect(found).toEqual(endsWith7);
        expect(found.filter((attempt) => !settled(attempt))).toEqual([]);
      }),
    );

    attack('of a held child that joins, with a timeout: nobody else is killed', () =>
      withBystanders((bystanders) => {
        const found = attempts(
          container,
          bystanders,
          `clone('/bin/sleep', ['${longer}'], { join: hostile[index], hold: true, stdio: 'ignore', timeout: slow(100), killSignal: 'SIGKILL' })`,
          joined,
          hostiles + theirEnd,
        );
        expect(bystanders.dead()).toEqual([]);
        expect(found.filter(({ pid }) => pid === 'of a bystander')).toEqual([]);
        expect(found.filter((attempt) => !settled(attempt))).toEqual([]);
      }),
    );
  });
}

describe('root of a user namespace', () => {
  withCompiler('finds no page to write into: pid 1 is closed to it', async () => {
    const options = { ...containers['root of a user namespace'], init: true } as const;
    const { code, stdout } = await run(rewrite.path, ['0', '0', '0'], options);
    expect(JSON.parse(stdout)).toEqual({ written: 0, refusals: [expect.stringMatching(/^maps E(?:ACCES|PERM)$/)] });
    expect(code).toBe(7);
  });
});

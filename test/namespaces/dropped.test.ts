// Namespaces that nobody closes: a collected one is closed, and nothing that somebody still uses is.
import { spawnSync } from 'node:child_process';

import { root } from '../support/own-process';
import { slow } from '../support/slow';

/** Runs a script that may collect, with `descriptors()`, how many are open, and `collected(count)`, which waits until there are no more. */
function collecting(script: string, env: NodeJS.ProcessEnv = {}): { printed: unknown; warnings: string } {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [
      '--expose-gc',
      '-e',
      `const nsclone = require(${JSON.stringify(root)});
       const { Namespace, createNamespaces, clone, record, run, Flags } = nsclone;
       const fs = require('node:fs');
       const { until } = require(${JSON.stringify(require.resolve('../support/slow.js'))});
       const targets = () => fs.readdirSync('/proc/self/fd').flatMap((fd) => {
         try { return [fs.readlinkSync('/proc/self/fd/' + fd)]; } catch { return []; } });
       const open = () => targets().filter((target) => /^(net|uts|user):\\[/.test(target)).length;
       const collected = (count) => until(() => { gc(); return open() === count; });
       (async () => { ${script} })().then((value) => console.log(JSON.stringify(value)));`,
    ],
    { encoding: 'utf8', timeout: slow(25_000), env: { ...process.env, NODE_DEBUG: '', ...env } },
  );
  expect([status, stdout === '' ? stderr : '']).toEqual([0, '']);
  return { printed: JSON.parse(stdout), warnings: stderr };
}

test('are closed when they are collected, silently', () => {
  const { printed, warnings } = collecting(
    `const first = open();
     (() => { for (let i = 0; i < 100; i++) Namespace.current('net'); Namespace.current('pid').owner(); })();
     const held = open();
     await collected(first);
     return [held - first, open() - first];`,
  );
  expect(printed).toEqual([101, 0]);
  expect(warnings).toBe('');
});

test('are told of with NODE_DEBUG=nsclone, each by its kind and id; one that was closed is not', () => {
  const { printed, warnings } = collecting(
    `const first = open();
     const id = (() => { Namespace.current('uts').close(); return String(Namespace.current('net').id); })();
     await collected(first);
     return id;`,
    { NODE_DEBUG: 'nsclone' },
  );
  const lines = warnings.split('\n').filter((line) => line.includes('dropped'));
  expect(lines).toEqual([
    expect.stringMatching(
      new RegExp(
        `^NSCLONE \\d+: a Namespace was dropped while it was open \\(net, ${printed as string}\\): close\\(\\) it, or declare it with using$`,
      ),
    ),
  ]);
});

test('so are those of a set; a member that is held stays open', () => {
  const { printed } = collecting(
    `let held;
     await (async () => { held = (await createNamespaces(Flags.NEWUSER | Flags.NEWNET | Flags.NEWUTS)).net; })();
     const before = open();
     await collected(1);
     return [before, open(), held.kind, typeof held.id, held.fd >= 0];`,
  );
  expect(printed).toEqual([3, 1, 'net', 'bigint', true]);
});

test('what has taken the number of one meanwhile is not closed', () => {
  const { printed } = collecting(
    `let number = (() => Namespace.current('net').fd)();
     // By somebody who had no business to.
     fs.closeSync(number);
     const file = fs.openSync('/dev/null');
     for (let i = 0; i < 20; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
     return [file === number, fs.readlinkSync('/proc/self/fd/' + file)];`,
  );
  expect(printed).toEqual([true, '/dev/null']);
});

test('a plan, and a recorded program, hold what they enter', () => {
  const { printed } = collecting(
    `const set = await createNamespaces(Flags.NEWUSER | Flags.NEWUTS, { uidMap: 'root', gidMap: 'root', hostname: 'held' });
     const made = (() => nsclone.plan('hostname', [], { join: [Namespace.open('/proc/self/fd/' + set.user.fd), Namespace.open('/proc/self/fd/' + set.uts.fd)], stdio: ['ignore', 'pipe', 'inherit'] }))();
     const program = (() => record((c) => { c.setns(Namespace.open('/proc/self/fd/' + set.user.fd), Flags.NEWUSER); c.setns(Namespace.open('/proc/self/fd/' + set.uts.fd), Flags.NEWUTS); }))();
     for (let i = 0; i < 20; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
     const child = await clone(made);
     let name = '';
     child.stdout.on('data', (chunk) => { name += chunk; });
     await new Promise((resolve) => child.once('close', resolve));
     const { code } = await (await clone(program)).exited;
     return [name, code, open()];`,
  );
  expect(printed).toEqual(['held\n', 0, 6]);
});

test('a Worker that ends takes what it has opened with it', () => {
  const { printed } = collecting(
    `const { Worker } = require('node:worker_threads');
     const first = open();
     const worker = new Worker(\`
       const { Namespace, createNamespaces, Flags } = require(${JSON.stringify(root)});
       globalThis.kept = [Namespace.current('net'), Namespace.current('user').owner(), Namespace.current('net').owner()];
       createNamespaces(Flags.NEWUSER | Flags.NEWNET).then((set) => { kept.push(set); require('worker_threads').parentPort.postMessage(0); });
       setInterval(() => {}, 1000);\`, { eval: true });
     await new Promise((resolve) => worker.once('message', resolve));
     const during = open() - first;
     await worker.terminate();
     await until(() => open() === first);
     return during;`,
  );
  expect(printed).toBeGreaterThanOrEqual(4);
});

test('one that a line of a plan uses stays open as long as the plan', () => {
  const { printed } = collecting(
    `const line = (() => {
       const uts = Namespace.current('uts');
       return nsclone.plan('/bin/true', { stdio: 'ignore', steps: [{ at: 'start', run: (c) => c.fsync(uts).accept('EINVAL') }] });
     })();
     const held = open();
     for (let i = 0; i < 10; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
     const kept = open() - held;
     const { code } = await (await clone(line)).exited;
     return [kept, code];`,
  );
  expect(printed).toEqual([0, 0]);
});

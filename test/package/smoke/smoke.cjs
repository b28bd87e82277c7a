// What a user does with the package, each thing once: the programs beside this hand it over as they have loaded it.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { text } = require('node:stream/consumers');
const { Worker } = require('node:worker_threads');

const things = {
  async 'a command and its output'({ clone }) {
    const child = await clone('/bin/sh', ['-c', 'echo here; exit 3'], { stdio: ['ignore', 'pipe', 'inherit'] });
    assert.equal(await text(child.stdout), 'here\n');
    const { code, signal } = await child.exited;
    assert.deepEqual({ code, signal }, { code: 3, signal: null });
  },

  async 'input and output by run()'({ run }) {
    const { code, stdout } = await run('cat', { input: 'there' });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'there' });
  },

  async 'a failure of the kernel, with its hint'({ clone, Flags, SyscallError }) {
    const options = { flags: Flags.NEWUSER | Flags.NEWNS, uidMap: 'root', mounts: [{ type: 'proc', target: '/proc' }] };
    const error = await clone('/bin/true', options).catch((reason) => reason);
    assert.ok(error instanceof SyscallError, `no SyscallError: ${error}`);
    assert.equal(error.code, 'EPERM');
    assert.match(error.hint, /NEWPID/);
    assert.match(error.stack, /smoke\.cjs/);
  },

  async 'a typo'({ clone, isArgumentError }) {
    const error = await clone('/bin/true', { hostnam: 'box' }).catch((reason) => reason);
    assert.ok(isArgumentError(error), `no ArgumentError: ${error}`);
    assert.equal(error.option, 'hostnam');
    assert.match(error.message, /"hostname"/);
  },

  async 'a recorded line'({ clone, Flags, record }) {
    const program = record((c) => ({ pid: c.getpid(), parent: c.getppid() }));
    const { pid, results } = await clone(program, { flags: Flags.VM });
    assert.deepEqual(results, { pid, parent: process.pid });
  },

  'the listing of a plan'({ Flags, plan }) {
    const made = plan('/bin/true', { flags: Flags.NEWUSER | Flags.NEWUTS, hostname: 'box' });
    assert.match(String(made), /sethostname\("box", 3\)/);
  },

  async 'a user namespace'({ Flags, run }) {
    const { stdout } = await run('id', ['-u'], { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' });
    assert.equal(stdout, '0\n');
  },

  async 'a terminal'({ clone }) {
    const child = await clone('/bin/sh', ['-c', 'stty size'], { pty: { columns: 90, rows: 28 } });
    assert.equal(await text(child.pty), '28 90\r\n');
  },

  async 'an AbortSignal'({ clone }) {
    const child = await clone('sleep', ['infinity'], { signal: AbortSignal.timeout(100), stdio: 'ignore' });
    const { signal, endedBy } = await child.exited;
    assert.deepEqual({ signal, endedBy }, { signal: 'SIGTERM', endedBy: 'abort' });
  },

  async 'a Worker'() {
    const source = `const { run } = require(${JSON.stringify(require.resolve('nsclone'))});
      run('echo', ['worker']).then(({ stdout }) => require('node:worker_threads').parentPort.postMessage(stdout));`;
    const worker = new Worker(source, { eval: true });
    const end = once(worker, 'exit');
    assert.deepEqual(await once(worker, 'message'), ['worker\n']);
    assert.deepEqual(await end, [0]);
  },
};

exports.smoke = async (nsclone) => {
  for (const [name, does] of Object.entries(things)) {
    try {
      await does(nsclone);
    } catch (cause) {
      throw new Error(`${name}: ${cause.message}`, { cause });
    }
  }
  // A program whose promise never settles ends as well, but without a word.
  console.log('good');
};

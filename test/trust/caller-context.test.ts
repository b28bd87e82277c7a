// Every callback of a child, its streams included, belongs to the async context of its own call, and keeps no other alive.
import { evaluate } from '../support/own-process';

const common = `
  const { AsyncLocalStorage } = require('node:async_hooks');
  const { once } = require('node:events');
  const { clone, Flags } = nsclone;
  const requests = new AsyncLocalStorage();
  /** What each callback of a child sees, until all of its streams are closed. */
  const watch = (child) => {
    const seen = {};
    const note = (name) => () => { (seen[name] ??= new Set()).add(requests.getStore() ?? 'none'); };
    for (const event of ['spawn', 'exit', 'close']) child.on(event, note(event));
    child.stdio.forEach((stream, index) => {
      // What is written belongs to whoever writes it.
      if (stream !== null && index > 0) for (const event of ['data', 'end', 'close']) stream.on(event, note(index + ' ' + event));
    });
    if (child.pty !== null) for (const event of ['data', 'end', 'close']) child.pty.on(event, note('pty ' + event));
    const streams = [...child.stdio.slice(1), child.pty].filter((stream) => stream !== null);
    return Promise.all([child, ...streams].map((one) => once(one, 'close'))).then(() => Object.fromEntries(Object.entries(seen).map(([name, stores]) => [name, [...stores].join()])));
  };
  // It says more when the first that it has said is heard.
  const script = 'read line; echo out; echo err >&2; echo three >&3; read line; echo more';
  const say = (child, text) => {
    child.stdin.write(text + '\\n');
    child.stdout.once('data', () => child.stdin.end('\\n'));
  };
  const piped = async () => {
    const child = await clone('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    const seen = watch(child);
    say(child, 'x'.repeat(300_000));
    return seen;
  };
  const terminal = async () => {
    const child = await clone('/bin/sh', ['-c', 'echo out; read line; echo more'], { pty: true });
    child.pty.once('data', () => child.pty.write('\\n'));
    return watch(child);
  };
`;

const callbacks = {
  piped: ['spawn', 'exit', 'close', '1 data', '1 end', '2 data', '2 end', '3 data', '3 end'],
  terminal: ['spawn', 'exit', 'close', 'pty data', 'pty end'],
};

/** Every one that must be there is, and none sees another store. */
function expectStore(seen: Record<string, string>, store: string, names: readonly string[]): void {
  expect(seen).toEqual(Object.fromEntries(Object.keys(seen).map((name) => [name, store])));
  expect(Object.keys(seen)).toEqual(expect.arrayContaining([...names]));
}

describe.each(['piped', 'terminal'] as const)('the callbacks of a child that is %s', (kind) => {
  test('see the context of their own call: of the first one, of later ones, of none', () => {
    const seen = evaluate<Record<string, string>[]>(`${common}
      const found = [];
      for (const store of ['A', 'B', 'C']) found.push(await requests.run(store, ${kind}));
      found.push(await requests.exit(${kind}));
      return found;`);
    expect(seen).toHaveLength(4);
    ['A', 'B', 'C', 'none'].forEach((store, index) => expectStore(seen[index]!, store, callbacks[kind]));
  });

  test('see it also where several run at once', () => {
    const seen = evaluate<Record<string, string>[]>(`${common}
      return Promise.all(['A', 'B', 'C'].map((store) => requests.run(store, ${kind})));`);
    ['A', 'B', 'C'].forEach((store, index) => expectStore(seen[index]!, store, callbacks[kind]));
  });
});

test('a stream belongs to the call, wherever it is touched first', () => {
  const seen = evaluate<Record<string, string>>(`${common}
    const child = await requests.run('A', () => clone('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] }));
    return requests.run('B', () => { const seen = watch(child); say(child, 'line'); return seen; });`);
  expectStore(seen, 'A', callbacks.piped);
});

test('a held child belongs to its clone(), not to its start()', () => {
  const seen = evaluate<Record<string, string>>(`${common}
    await requests.run('0', piped);
    const child = await requests.run('A', () => clone('/bin/true', [], { hold: true, stdio: 'ignore' }));
    const seen = watch(child);
    await requests.run('B', () => child.start());
    return seen;`);
  expectStore(seen, 'A', ['spawn', 'exit', 'close']);
});

test('so do the ends of a recorded child', () => {
  const seen = evaluate<Record<string, string>[]>(`${common}
    const recorded = nsclone.record((c) => c.exit(3));
    const found = [];
    for (const store of ['A', 'B'])
      found.push(await requests.run(store, async () => watch(await clone(recorded, { flags: Flags.VM }))));
    return found;`);
  ['A', 'B'].forEach((store, index) => expectStore(seen[index]!, store, ['exit', 'close']));
});

test('the context of a call is not kept alive once its child is gone', () => {
  const found = evaluate<Record<string, string>>(`${common}
    require('node:v8').setFlagsFromString('--expose-gc');
    const collect = require('node:vm').runInNewContext('gc');
    const isCollected = (ref) =>
      until(() => { collect(); return ref.deref() === undefined; }).then(() => 'collected', () => 'kept');
    const inContext = async (body) => {
      const store = { request: new Array(1000).fill(0) };
      await requests.run(store, body);
      return new WeakRef(store);
    };
    const byNode = async () => {
      const child = require('node:child_process').spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
      child.stdin.end('x'.repeat(300_000) + '\\n');
      for (const stream of child.stdio.slice(1)) stream.resume();
      await once(child, 'close');
    };
    // Node's own streams keep the context of the first one of all.
    await byNode();
    const found = { 'by child_process': await isCollected(await inContext(byNode)) };
    for (const name of ['first', 'second']) {
      found[name] = await isCollected(await inContext(async () => { await (await clone('/bin/echo', ['out'], { stdio: 'ignore' })).exited; }));
    }
    found['with pipes'] = await isCollected(await inContext(async () => { await piped(); }));
    found['with a terminal'] = await isCollected(await inContext(async () => { await terminal(); }));
    found['that failed'] = await isCollected(await inContext(async () => { await clone('/no/such').catch(() => {}); }));
    return found;`);
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, 'collected'])));
  expect(Object.keys(found)).toHaveLength(6);
});

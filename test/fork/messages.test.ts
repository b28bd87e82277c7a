// Messages of fork(), side by side with child_process.fork(): values, their order among other events, results and errors of send().
import { type ChildProcess, fork as forkByNode } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { isNativeError } from 'node:util/types';

import { fork, type ForkedProcess } from '../../lib';
import { untilZombie } from '../support/alive';
import { lasting } from '../support/lasting';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { slow } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

/** Says what it is told: a message back, or that it goes. */
const echo = `
  process.on('message', (message) => {
    if (message === 'disconnect') process.disconnect();
    else if (message === 'exit') process.exit(3);
    else process.send(message);
  });
  // We may have gone meanwhile.
  process.on('error', () => {});
  process.send('ready');`;

type Fork = (path: string, args?: readonly string[], options?: object) => ChildProcess | Promise<ForkedProcess>;
const both = { child_process: forkByNode as Fork, nsclone: fork as Fork };
type Name = keyof typeof both;
const names: readonly Name[] = ['child_process', 'nsclone'];

/** An error by its code. Those of child_process are of another realm than jest's. */
const isOf = (value: unknown): unknown => (isNativeError(value) ? (value as NodeJS.ErrnoException).code : value);

/** All that a child tells, as `event: arguments`. */
function listen(child: ChildProcess): unknown[][] {
  const told: unknown[][] = [];
  for (const event of ['spawn', 'message', 'disconnect', 'exit', 'close', 'error'])
    child.on(event, (...args: unknown[]) => told.push([event, ...args.map(isOf)]));
  return told;
}

/** Not by once(), which an 'error' breaks. */
const told = (child: ChildProcess, event: string): Promise<void> =>
  new Promise((resolve) => child.once(event, () => resolve()));
const closed = (child: ChildProcess): Promise<void> => told(child, 'close');

/** That of child_process comes after 'close' where the event loop was held until the end: its place is promised by us alone. */
const withoutPlaceOfDisconnect = (events: unknown[][]): unknown[][] => [
  ...events.filter(([event]) => event !== 'disconnect'),
  ...events.filter(([event]) => event === 'disconnect'),
];

/** What the same script of messages comes to in both. */
async function compare<T>(script: (child: ChildProcess) => Promise<T>, source = echo, options?: object): Promise<T> {
  const file = folder.file('module.js', source);
  const results: T[] = [];
  for (const name of names) {
    const child = await both[name](file, [], options);
    // That of child_process tells no 'close' after a disconnect() of ours.
    const end = told(child, 'exit');
    results.push(await script(child));
    await end;
  }
  expect(results[1]).toEqual(results[0]);
  return results[1]!;
}

describe.each(['json', 'advanced'] as const)('%s', (serialization) => {
  test.each([
    ['tells the same events', () => {}],
    ['tells them in the same order to who comes late to all of them', ({ pid }: ChildProcess) => untilZombie(pid!)],
  ])('%s', async (_, hold) => {
    let ours: unknown[][] = [];
    const found = await compare(
      async (child) => {
        const events = (ours = listen(child));
        expect([child.connected, child.send({ one: 1 }), child.send('disconnect')]).toEqual([true, true, true]);
        const all = Promise.all([told(child, 'disconnect'), closed(child)]);
        hold(child);
        await all;
        return [...withoutPlaceOfDisconnect(events), child.connected, child.channel];
      },
      echo,
      { serialization },
    );
    expect(found.slice(-2)).toEqual([false, null]);
    expect(ours).toEqual([
      ['spawn'],
      ['message', 'ready', undefined],
      ['message', { one: 1 }, undefined],
      ['disconnect'],
      ['exit', 0, null],
      ['close', 0, null],
    ]);
  });

  test('what a child has sent before its end comes before it, however soon that is', async () => {
    const source = `for (let i = 0; i < 50; i++) process.send(i); process.on('message', () => {}); setImmediate(() => process.disconnect());`;
    for (let i = 0; i < 5; i++) {
      const child = await fork(folder.file('module.js', source), { serialization });
      const events = listen(child);
      await closed(child);
      expect(events.map(([event]) => event)).toEqual([
        'spawn',
        ...Array.from({ length: 50 }, () => 'message'),
        'disconnect',
        'exit',
        'close',
      ]);
    }
  });

  test('10,000 messages there and back, in order', async () => {
    await compare(
      async (child) => {
        const numbers: unknown[] = [];
        child.on('message', (message: { i?: number }) => {
          if (message.i === undefined) return;
          numbers.push(message.i);
          if (numbers.length === 10_000) child.disconnect();
        });
        for (let i = 0; i < 10_000; i++) child.send({ i, text: 'some text' });
        await once(child, 'disconnect');
        expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
        return numbers.length;
      },
      echo,
      { serialization },
    );
  });

  test('10 MB in one message, which send() says no to, and calls back', async () => {
    const large = 'größer'.repeat((10 * 1024 * 1024) / 8);
    const found = await compare(
      async (child) => {
        await once(child, 'message');
        let isSent = false;
        const wanted = child.send(large, () => (isSent = true));
        const [message] = (await once(child, 'message')) as [string];
        child.disconnect();
        return [wanted, isSent, message === large];
      },
      echo,
      { serialization },
    );
    expect(found).toEqual([false, true, true]);
  });

  test('disconnect() of ours lets a child end, and what was sent before it is read', async () => {
    // Node's own may lose what waits, so that there is nothing to compare.
    const source = `let size = 0; process.on('message', (m) => (size += m.length)); process.on('disconnect', () => process.exit(size / 1e6));`;
    const child = await fork(folder.file('module.js', source), { serialization });
    const events = listen(child);
    for (let i = 0; i < 7; i++) child.send('x'.repeat(1_000_000));
    child.disconnect();
    expect([child.connected, child.channel]).toEqual([false, null]);
    await closed(child);
    expect(events).toEqual([['spawn'], ['disconnect'], ['exit', 7, null], ['close', 7, null]]);
  });
});

test('every value arrives in the child as with child_process, and comes back as there', () => {
  const module = folder.file(
    'module.js',
    `const { inspect } = require('node:util');
     process.on('message', (message) => process.send([inspect(message, { depth: 9 }), message]));`,
  );
  const compared = evaluate<Record<string, string[]>>(`
    const { inspect } = require('node:util');
    const { once } = require('node:events');
    const shared = Buffer.from('a part of the pool').subarray(2, 6);
    const cyclic = { list: [] }; cyclic.list.push(cyclic); cyclic.self = cyclic;
    class Point { constructor() { this.x = 1; } get y() { return 2; } }
    const plain = ['', 'text', 'größer €😀\\n\\u2028', 0, -0, NaN, Infinity, 1.5, true, false, null, [], {}, [undefined, null, [[]]],
      { a: undefined, 'b c': { d: [1] }, __proto__: null, ['__proto__']: 1 }, new Date(0), new Point(), shared, Buffer.alloc(0), [1, , 3], 'x'.repeat(200_000),
      { cmd: 'NODE' }, { cmd: 5 }];
    const structured = [new Uint8Array([1, 2]), new Uint8ClampedArray(2), new Int8Array(2), new Uint16Array([1, 65535]), new Int16Array(3),
      new Uint32Array(1), new Int32Array(2), new Float32Array([0.5]), new Float64Array([0.1, 2]), new BigInt64Array([5n]), new BigUint64Array(2),
      new DataView(new ArrayBuffer(3), 1), new ArrayBuffer(5), [Buffer.from('one'), Buffer.from('two')], { text: 'é', odd: new Float64Array([1]), after: 1 },
      new Map([[1, { a: new Set(['x']) }]]), new Set([1, [2]]), /re+/gi, { big: 2n ** 70n, small: -1n }, cyclic,
      new String('s'), new Number(1), new Boolean(false), new Date(NaN), new Error('plain'), Object.assign(new TypeError('typed', { cause: 1 }), { code: 'x' }),
      new RangeError('r'), new (require('node:worker_threads').MessageChannel)().port1.constructor.prototype];
    const tried = { json: plain, advanced: [...plain, ...structured] };
    const found = { json: [], advanced: [] };
    for (const fork of [require('node:child_process').fork, nsclone.fork]) {
      for (const serialization of ['json', 'advanced']) {
        const child = await fork(${JSON.stringify(module)}, [], { serialization });
        const told = [];
        for (const value of tried[serialization]) {
          try {
            child.send(value);
          } catch (error) {
            told.push(error.message);
            continue;
          }
          const [[there, back]] = await once(child, 'message');
          told.push([there, inspect(back, { depth: 9 }), back?.constructor?.name].join(' | '));
        }
        found[serialization].push(told);
        child.disconnect();
        await once(child, 'exit');
      }
    }
    return { counts: [tried.json.length, tried.advanced.length].map(String), json: found.json.map(String), advanced: found.advanced.map(String) };`);
  // Where a DataView lies in its buffer is the business of each end.
  const withoutPlaces = (told: string): string =>
    told.replaceAll(/\[?byteOffset\]?: \d+|\[?byteLength\]?: \d{2,}|\[Uint8Contents\]: <[^>]*>/g, '');
  expect(compared['json']![1]).toBe(compared['json']![0]);
  expect(withoutPlaces(compared['advanced']![1]!)).toBe(withoutPlaces(compared['advanced']![0]!));
  expect(compared['advanced']![0]).toContain('Map(1) {');
  expect(compared['counts']).toEqual(['23', '51']);
});

describe('send()', () => {
  test.each([
    ['nothing', []],
    ['a function', [() => {}]],
    ['a symbol', [Symbol('x')]],
    ['a bigint', [1n]],
    ['what JSON cannot say', [{ big: 1n }]],
    ['options that are none', ['x', undefined, 5]],
    ['options that are null', ['x', undefined, null]],
  ])('throws for %s as child_process does', async (_, args) => {
    const [name, code] = await compare(async (child) => {
      await once(child, 'message');
      let error: NodeJS.ErrnoException | undefined;
      try {
        (child.send as (...args: unknown[]) => boolean)(...args);
      } catch (thrown) {
        error = thrown as NodeJS.ErrnoException;
      }
      child.disconnect();
      return [error?.name, error?.code];
    });
    expect([name, code?.slice(0, 4)]).toEqual([
      'TypeError',
      name === 'TypeError' && code === undefined ? undefined : 'ERR_',
    ]);
  });

  test('takes a callback in every place, and calls it later', async () => {
    const found = await compare(async (child) => {
      const seen: unknown[] = [];
      const results = await new Promise<unknown[]>((resolve) => {
        const send = child.send.bind(child) as (...args: unknown[]) => boolean;
        const note = (error: Error | null): void => void (seen.push(error) === 4 && resolve(seen));
        send(1, note);
        send(2, undefined, note);
        send(3, undefined, {}, note);
        send(4, null, undefined, note);
        expect(seen).toEqual([]);
      });
      child.disconnect();
      return results;
    });
    expect(found).toEqual([null, null, null, null]);
  });

  test('after disconnect() is an error of the callback, or an event', async () => {
    const found = await compare(async (child) => {
      child.disconnect();
      const events = listen(child);
      const byCallback: unknown[] = [];
      expect(child.send('x', (error) => byCallback.push(isOf(error)))).toBe(false);
      expect(child.send('x')).toBe(false);
      child.disconnect();
      await told(child, 'exit');
      return [byCallback, events.filter(([event]) => event === 'error')];
    });
    expect(found).toEqual([
      ['ERR_IPC_CHANNEL_CLOSED'],
      [
        ['error', 'ERR_IPC_DISCONNECTED'],
        ['error', 'ERR_IPC_CHANNEL_CLOSED'],
      ],
    ]);
  });

  test('to a child that has closed its end, though nobody has been told, is an error of the callback, or an event', async () => {
    const flag = folder.at('closed');
    const source = `
      const { closeSync, writeFileSync } = require('node:fs');
      process.on('message', () => { closeSync(3); writeFileSync(${JSON.stringify(flag)}, ''); });
      setInterval(() => {}, 1000);
      process.send('ready');`;
    const found = await compare(async (child) => {
      await once(child, 'message');
      const events = listen(child);
      const byCallback: unknown[] = [];
      child.send('close it');
      // The event loop is held: nothing is heard of it.
      for (const end = performance.now() + slow(10_000); !existsSync(flag) && performance.now() < end;);
      child.send('x', (error) => byCallback.push(isOf(error)));
      child.send('x');
      await told(child, 'disconnect');
      const end = told(child, 'close');
      child.kill('SIGKILL');
      await end;
      rmSync(flag);
      return [byCallback, events];
    }, source);
    expect(found).toEqual([
      ['EPIPE'],
      [['error', 'EPIPE'], ['disconnect'], ['exit', null, 'SIGKILL'], ['close', null, 'SIGKILL']],
    ]);
  });

  test('tells who waits for a child that never reads, once it is gone, and nobody else', async () => {
    const { wait, end } = lasting();
    const child = await fork('not looked at', { execPath: '/bin/sh', execArgv: ['-c', wait] });
    const callbacks: unknown[] = [];
    for (let i = 0; i < 5; i++)
      child.send('x'.repeat(1_000_000), i % 2 === 0 ? (error) => callbacks.push(isOf(error)) : undefined);
    expect(child.send('x')).toBe(false);
    const events = listen(child);
    end();
    await closed(child);
    expect(callbacks).toEqual(['EPIPE', 'EPIPE', 'EPIPE']);
    expect(events.map(([event]) => event)).toEqual(['spawn', 'disconnect', 'exit', 'close']);
  });
});

describe('a listener', () => {
  test('for one message leaves the others to the next', async () => {
    const source = `for (const i of [1, 2, 3]) process.send(i); process.on('message', () => {});`;
    const child = await fork(folder.file('module.js', source));
    // Those of child_process are lost.
    for (const i of [1, 2, 3]) expect(((await once(child, 'message')) as unknown[])[0]).toBe(i);
    child.disconnect();
    await closed(child);
  });

  test('that comes late, even after the end, hears what was sent', async () => {
    const child = await fork(folder.file('module.js', `process.send('first'); process.send('second');`));
    await closed(child);
    const messages: unknown[] = [];
    child.once('message', (message) => messages.push(message));
    await new Promise(setImmediate);
    expect(messages).toEqual(['first']);
    child.on('message', (message) => messages.push(message));
    await new Promise(setImmediate);
    expect(messages).toEqual(['first', 'second']);
  });

  test('that calls disconnect() hears what had come with it, and nothing later', async () => {
    // By time alone it might have come with the first one.
    const heard = folder.file('heard', '');
    const source = `process.on('message', () => {}); process.send(1);
      const isHeard = () => require('node:fs').existsSync(${JSON.stringify(heard)} + process.pid);
      setInterval(() => isHeard() && process.connected && process.send('later', () => {}), 1).unref();`;
    const found = await compare(async (child) => {
      const messages: unknown[] = [];
      child.on('message', (message) => {
        messages.push(message);
        if (!child.connected) return;
        writeFileSync(`${heard}${child.pid}`, '');
        child.disconnect();
      });
      await told(child, 'exit');
      return messages;
    }, source);
    expect(found).toEqual([1]);
  });
});

test('half a message at the end of a child is no message', async () => {
  const source = `require('node:fs').writeSync(3, '"whole"\\n{"half":'); process.exit();`;
  let ours: unknown[][] = [];
  await compare(async (child) => {
    const events = (ours = listen(child));
    await Promise.all([told(child, 'disconnect'), closed(child)]);
    return withoutPlaceOfDisconnect(events);
  }, source);
  expect(ours).toEqual([
    ['spawn'],
    ['message', 'whole', undefined],
    ['disconnect'],
    ['exit', 0, null],
    ['close', 0, null],
  ]);
});

test("what is between the two ends of Node's own is told to nobody", async () => {
  const source = `for (const cmd of ['NODE_CLUSTER', 'NODE_', 'NODE_HANDLE_ACK']) process.send({ cmd }); process.send(null);`;
  const child = await fork(folder.file('module.js', source));
  const events = listen(child);
  await closed(child);
  expect(events.filter(([event]) => event === 'message')).toEqual([
    ['message', { cmd: 'NODE_' }, undefined],
    ['message', null, undefined],
  ]);
});

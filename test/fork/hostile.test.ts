// A child that breaks the rules of the channel: it closes its own channel, and nothing else comes of it.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { fork, type ForkedProcess, type ForkOptions, type SyscallError } from '../../lib';
import { isAsleep } from '../support/alive';
import { isLinux, needing } from '../support/capability';
import { compiled, compiler, withCompiler } from '../support/compiled';
import { leavesNothing, ourDescriptors } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { slow, until } from '../support/slow';
import { temporaryFolder } from '../support/temporary-folder';

leavesNothing();
const folder = temporaryFolder();

/** Not by once(), which an 'error' breaks. */
const told = (child: ChildProcess, event: string): Promise<void> =>
  new Promise((resolve) => child.once(event, () => resolve()));

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** A child that writes to the channel whatever it likes. */
async function forkRaw(source: string, options: ForkOptions = {}): Promise<ForkedProcess> {
  const file = folder.file(
    'module.js',
    `const { writeSync } = require('node:fs');
     /** All of it: the socket does not block, and has no room for much. */
     const write = (bytes) => {
       for (let at = 0; at < bytes.length; ) {
         try { at += writeSync(3, bytes, at); } catch (error) { if (error.code === 'EPIPE') return false; if (error.code !== 'EAGAIN') throw error; }
       }
       return true;
     };
     // It stays when the channel is closed.
     const stay = () => setInterval(() => {}, 1000);
     ${source}`,
  );
  const child = await fork(file, [], options);
  started.push(child);
  return child;
}

interface End {
  readonly messages: unknown[];
  readonly error: SyscallError | undefined;
  readonly events: string[];
}

/** What is told until the channel is closed; the child is ended then. */
async function untilClosed(child: ForkedProcess): Promise<End> {
  const messages: unknown[] = [];
  const events: string[] = [];
  let error: SyscallError | undefined;
  child.on('message', (message) => messages.push(message));
  child.on('error', (told: SyscallError) => {
    error = told;
    events.push('error');
  });
  child.on('exit', () => events.push('exit'));
  const closed = told(child, 'close');
  await told(child, 'disconnect');
  events.push('disconnect');
  expect([child.connected, child.channel]).toEqual([false, null]);
  child.kill('SIGKILL');
  await closed;
  return { messages, error, events };
}

const length = (size: number): string => `[${[24, 16, 8, 0].map((shift) => (size >>> shift) & 255).join()}]`;

describe('what is no message closes the channel, with an error', () => {
  test.each([
    ['broken JSON', 'json', `Buffer.from('1\\n{broken\\n2\\n')`, 'EBADMSG', [1]],
    ['an empty line', 'json', `Buffer.from('1\\n\\n')`, 'EBADMSG', [1]],
    ['bytes that are no text', 'json', 'Buffer.from([255, 254, 0, 10])', 'EBADMSG', []],
    ['a line without end', 'json', `Buffer.alloc(2_000_000, '[')`, 'EMSGSIZE', []],
    ['a line that is too long', 'json', `Buffer.from('"' + 'x'.repeat(1_100_000) + '"\\n')`, 'EMSGSIZE', []],
    ['a huge length', 'advanced', `Buffer.from(${length(0xffffffff)})`, 'EMSGSIZE', []],
    ['a length that is too large', 'advanced', `Buffer.from(${length(1_000_001)})`, 'EMSGSIZE', []],
    ['no bytes', 'advanced', `Buffer.from(${length(0)})`, 'EBADMSG', []],
    ['bytes that v8 does not know', 'advanced', `Buffer.from([0, 0, 0, 3, 255, 15, 1])`, 'EBADMSG', []],
    ['an object of a host that is none', 'advanced', `Buffer.from([0, 0, 0, 4, 255, 15, 92, 7])`, 'EBADMSG', []],
    ['a view of no known type', 'advanced', `Buffer.from([0, 0, 0, 6, 255, 15, 92, 0, 99, 0])`, 'EBADMSG', []],
    ['a view of more than there is', 'advanced', `Buffer.from([0, 0, 0, 7, 255, 15, 92, 0, 1, 127, 0])`, 'EBADMSG', []],
    [
      'an array of more than there is',
      'advanced',
      `Buffer.from([0, 0, 0, 7, 255, 15, 65, 255, 255, 255, 15])`,
      'EBADMSG',
      [],
    ],
    ['a shared buffer', 'advanced', `Buffer.from([0, 0, 0, 4, 255, 15, 117, 0])`, 'EBADMSG', []],
    ['a buffer that can grow', 'advanced', `Buffer.from([0, 0, 0, 6, 255, 15, 126, 1, 8, 0])`, 'EBADMSG', []],
    [
      'a buffer that can grow, in the cause of an error',
      'advanced',
      `Buffer.from([0, 0, 0, 15, 255, 15, 114, 69, 99, 65, 1, 126, 1, 8, 0, 36, 0, 1, 46])`,
      'EBADMSG',
      [],
    ],
    [
      'an array of empty places alone',
      'advanced',
      `Buffer.from([0, 0, 0, 13, 255, 15, 97, 128, 128, 128, 16, 64, 0, 128, 128, 128, 16])`,
      'EBADMSG',
      [],
    ],
    [
      'arrays of empty places that are too many together',
      'advanced',
      `(() => {
         const one = [97, 128, 8, 64, 0, 128, 8];
         const bytes = [255, 15, 65, 9, ...Array(9).fill(one).flat(), 36, 0, 9];
         return Buffer.from([0, 0, 0, bytes.length, ...bytes]);
       })()`,
      'EBADMSG',
      [],
    ],
    [
      'errors that take more memory than a message of that size',
      'advanced',
      `(() => {
         const count = [192, 184, 2];
         const begin = [...${length(80_011)}, 255, 15, 65, ...count];
         return Buffer.concat([Buffer.from(begin), Buffer.alloc(80_000, 'r.'), Buffer.from([36, 0, ...count])]);
       })()`,
      'EMSGSIZE',
      [],
    ],
    ...(
      [
        ['a RegExp of many properties', '\\\\p{L}'.repeat(20), 16],
        ['a RegExp of properties that are strings', '\\\\p{RGI_Emoji}'.repeat(3), 256],
        ['a RegExp of classes', '[\\\\W]'.repeat(250), 258],
        ['a long RegExp', '.'.repeat(8000), 0],
      ] as const
    ).map(([name, source, flags]): [string, 'advanced', string, string, unknown[]] => [
      name,
      'advanced',
      `(() => {
           const source = Buffer.from('${source}', 'utf16le');
           const number = (value) => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
           const rest = [255, 15, 82, 99, ...number(source.length), ...source, ...number(${flags})];
           return Buffer.from([0, 0, rest.length >> 8, rest.length & 255, ...rest]);
         })()`,
      'EMSGSIZE',
      [],
    ]),
    [
      'numbers in a Set, which may all have one hash',
      'advanced',
      `(() => {
         const bytes = require('node:v8').serialize(new Set(Array.from({ length: 6000 }, (_, i) => i)));
         return Buffer.concat([Buffer.from([0, 0, bytes.length >> 8, bytes.length & 255]), bytes]);
       })()`,
      'EMSGSIZE',
      [],
    ],
    [
      'nesting without end',
      'advanced',
      `Buffer.concat([Buffer.from([...${length(900_002)}, 255, 15]), Buffer.alloc(900_000, Buffer.from([65, 1]))])`,
      'EBADMSG',
      [],
    ],
  ] as const)('%s (%s)', async (_, serialization, bytes, code, before) => {
    const child = await forkRaw(`stay(); write(${bytes});`, { serialization, maxMessageSize: 1_000_000 });
    const { messages, error, events } = await untilClosed(child);
    expect(error).toMatchObject({
      code,
      syscall: 'read',
      option: code === 'EBADMSG' ? 'serialization' : 'maxMessageSize',
      hint: expect.stringContaining('its channel is closed') as string,
    });
    expect(messages).toEqual(before);
    expect(events).toEqual(['error', 'disconnect', 'exit']);
  });

  test('though nobody listens for it: then it is a warning, and the process goes on', () => {
    const file = folder.file('module.js', `require('node:fs').writeSync(3, 'broken\\n'); setInterval(() => {}, 1000);`);
    const told = evaluate(`
      const told = [];
      process.on('warning', ({ name, message }) => told.push([name, message]));
      process.on('uncaughtException', ({ message }) => told.push(['uncaught', message]));
      const child = await nsclone.fork(${JSON.stringify(file)});
      await new Promise((resolve) => child.once('disconnect', resolve));
      child.kill('SIGKILL');
      told.push((await child.exited).signal);
      return told;`);
    expect(told).toEqual([
      [
        'ChannelWarning',
        "EBADMSG: bad message, read (serialization): the child has sent what is no message in this serialization ('json'), and its channel is closed",
      ],
      'SIGKILL',
    ]);
  });
});

test('a child that closes its end is warned of, and ends nobody who sends to it and listens for no error', () => {
  const flag = folder.at('closed');
  const file = folder.file(
    'module.js',
    `const { closeSync, writeFileSync } = require('node:fs');
     process.on('message', () => { closeSync(3); writeFileSync(${JSON.stringify(flag)}, ''); });
     setInterval(() => {}, 1000);
     process.send('ready');`,
  );
  const told = evaluate(`
    const told = [];
    process.on('warning', ({ name, message }) => told.push([name, message]));
    process.on('uncaughtException', ({ message }) => told.push(['uncaught', message]));
    const child = await nsclone.fork(${JSON.stringify(file)});
    await new Promise((resolve) => child.once('message', resolve));
    child.send('close it');
    // The event loop is held: nothing is heard of it.
    for (const end = performance.now() + slow(10_000); !fs.existsSync(${JSON.stringify(flag)}) && performance.now() < end;);
    child.send('before anybody is told');
    await new Promise((resolve) => child.once('disconnect', resolve));
    child.send('after it');
    child.kill('SIGKILL');
    await child.exited;
    return told;`);
  expect(told).toEqual([
    ['ChannelWarning', expect.stringMatching(/^EPIPE: broken pipe, write/)],
    ['ChannelWarning', 'Channel closed'],
  ]);
});

test('arrays with empty places, and errors with causes, are messages', async () => {
  const child = await fork(
    folder.file(
      'module.js',
      `const places = Array(3000); places[7] = 'seven';
       process.send([places, new Error('outer', { cause: [new Uint8Array([1]), new Error('inner')] }), Buffer.from('~~a')]);`,
    ),
    [],
    { serialization: 'advanced' },
  );
  const { messages, error } = await untilClosed(child);
  expect(error).toBeUndefined();
  const [[places, failure, bytes]] = messages as [[unknown[], Error, Buffer]];
  expect([places.length, Object.entries(places)]).toEqual([3000, [['7', 'seven']]]);
  expect([failure.message, String(bytes)]).toEqual(['outer', '~~a']);
});

test('a message of single bytes, and one of many, arrive', async () => {
  const child = await forkRaw(`
    const text = Buffer.from('{"größer":"€"}\\n"' + 'x'.repeat(300_000) + '"\\n');
    for (let at = 0; at < 60; at++) write(text.subarray(at, at + 1));
    write(text.subarray(60));`);
  const { messages, error } = await untilClosed(child);
  expect([messages, error]).toEqual([[{ größer: '€' }, 'x'.repeat(300_000)], undefined]);
});

test('RegExps, and numbers in Maps and Sets, are messages', async () => {
  const child = await fork(
    folder.file(
      'module.js',
      `process.send([/^\\p{L}+\\p{Emoji}$/u, /[\\p{RGI_Emoji}--[a]]/v, new RegExp('x'.repeat(5000)), new Set(Array.from({ length: 10_000 }, (_, i) => i / 3)),
         new Map(Array.from({ length: 100_000 }, (_, i) => ['key' + i, i]))], () => process.disconnect());`,
    ),
    { serialization: 'advanced' },
  );
  const { messages, error } = await untilClosed(child);
  const [word, emoji, long, set, map] = messages[0] as [RegExp, RegExp, RegExp, Set<number>, Map<string, number>];
  expect(error).toBeUndefined();
  expect([word.test('größer😀'), emoji.test('😀'), long.source.length, set.size, map.size]).toEqual([
    true,
    true,
    5000,
    10_000,
    100_000,
  ]);
});

test('deep nesting is a message', async () => {
  const child = await forkRaw(`write(Buffer.from('['.repeat(500_000) + ']'.repeat(500_000) + '\\n'));`);
  const { messages, error } = await untilClosed(child);
  let depth = 0;
  for (let inner = messages[0]; Array.isArray(inner); inner = inner[0] as unknown) depth++;
  expect([depth, error]).toEqual([500_000, undefined]);
});

test('names of the prototype are names', async () => {
  const child = await forkRaw(`write(Buffer.from('{"__proto__":{"polluted":1},"constructor":2}\\n'));`);
  const { messages } = await untilClosed(child);
  expect(Object.keys(messages[0]!)).toEqual(['__proto__', 'constructor']);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

const withAccounting = needing(existsSync('/proc/self/io'), 'a kernel that counts what is written');
withAccounting('while nobody listens, one megabyte is kept, and a child that sends on is not read', async () => {
  const line = `"${'x'.repeat(9_998)}"`;
  const writer = await fork(line, [], { execPath: 'yes', execArgv: [], stdio: ['ignore', 'ipc', 'inherit'] });
  started.push(writer);
  const written = (): number => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${writer.pid}/io`, 'utf8'))![1]);
  let before = 0;
  await until(async () => {
    before = written();
    // Two turns of the event loop are what a message takes that has come.
    for (let i = 0; i < 3; i++) await sleep(100);
    return before > 1024 * 1024 && isAsleep(writer.pid) && before === written();
  });
  // What the socket holds besides is the kernel's.
  expect(before).toBeLessThan(3 * 1024 * 1024);
  writer.kill('SIGKILL');
  await writer.exited;
  await told(writer, 'close');
  let kept = 0;
  writer.on('message', () => kept++);
  await until(() => kept > 0);
  expect(kept * line.length).toBeGreaterThan(1024 * 1024);
});

test('a child of the child that sends for ever does not keep the end from being told', async () => {
  const child = await fork(folder.file('module.js', ''), {
    execPath: '/bin/sh',
    execArgv: ['-c', 'yes "\\"x\\"" >&3 2>/dev/null & exit 5'],
  });
  expect((await child.exited).code).toBe(5);
  expect(child.connected).toBe(true);
  child.disconnect();
  await told(child, 'close');
});

describe('handles', () => {
  test('are refused by send(), and so is keepOpen', async () => {
    const child = await fork(folder.file('module.js', `process.on('message', () => process.disconnect());`));
    const send = child.send.bind(child) as (...args: unknown[]) => boolean;
    expect(() => send('x', process.stdin)).toThrow(
      /^The "sendHandle" argument cannot be sent: the channel of fork\(\) takes no handles/,
    );
    expect(() => send('x', undefined, { keepOpen: true })).toThrow(/^The "keepOpen" option is of a handle/);
    expect(() => send('x', undefined, { keepopen: true })).toThrow(
      'The "keepopen" option is unknown; did you mean "keepOpen"?',
    );
    expect(send('x', undefined, { keepOpen: false })).toBe(true);
    await told(child, 'close');
  });

  test('said to be there are said to have been lost, once for each answer that is read', async () => {
    const child = await forkRaw(
      `
      process.channel.unref();
      for (let i = 0; i < 100_000; i++) if (!write(Buffer.from('{"cmd":"NODE_HANDLE","type":"net.Server","msg":"secret"}\\n'))) break;
      write(Buffer.from('"done"\\n'));
      stay();`,
      // Its Node may end of an answer that it reads, and says so.
      { execArgv: ['--no-deprecation'], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
    );
    child.on('error', () => {});
    expect(((await once(child, 'message')) as unknown[])[0]).toBe('done');
    // Not a hundred thousand answers: the child reads none while it writes.
    child.disconnect();
    child.kill('SIGKILL');
    await told(child, 'close');
  });
});

describe('descriptors that a child sends', () => {
  const program = compiled('fork/send-descriptors');
  const refusesRights = isLinux('6.16');

  async function sendTo(count: number): Promise<unknown[]> {
    const child = await fork(String(count), [], { execPath: program.path, execArgv: [] });
    const messages: unknown[] = [];
    child.on('message', (message) => messages.push(message));
    await told(child, 'close');
    return messages;
  }

  withCompiler('are never ours', async () => {
    const before = ourDescriptors().length;
    const counts: number[] = [];
    const timer = setInterval(() => counts.push(ourDescriptors().length), 1);
    const messages = await sendTo(50);
    clearInterval(timer);
    expect(ourDescriptors().length).toBe(before);
    // Our end of the channel, and the pidfd.
    expect(Math.max(...counts)).toBeLessThan(before + 10);
    expect(messages).toContain('sent without');
  });

  needing(refusesRights && compiler !== undefined, 'Linux 6.16 and a C compiler')(
    'are refused to the sender, so that none with SO_LINGER can hold our event loop',
    async () => {
      let longest = 0;
      let last = performance.now();
      const timer = setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 10);
      const messages = await sendTo(1);
      clearInterval(timer);
      expect(messages).toEqual(['EPERM', 'sent without']);
      // It is to linger for 20 seconds.
      expect(longest).toBeLessThan(slow(5000));
    },
  );
});

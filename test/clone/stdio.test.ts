// What a child's descriptors are connected to, and what becomes of its streams.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import { clone, type ClonedProcess, type CloneOptions, Flags, type Stdio } from '../../lib';
import { inside, owned, read } from '../support/inside';
import { lasting } from '../support/lasting';
import { leavesNothing } from '../support/leftovers';
import { evaluate, root, runScript } from '../support/own-process';
import { until } from '../support/slow';

leavesNothing();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const sh = (script: string, options: CloneOptions): Promise<ClonedProcess> => clone('/bin/sh', ['-c', script], options);
const closed = (child: ClonedProcess): Promise<unknown> => new Promise((resolve) => child.once('close', resolve));
/** What a child's descriptors are, seen from outside: 'pipe', 'socket', the path of a file, 'none'. */
async function kinds(stdio: Stdio, count: number, options: CloneOptions = {}): Promise<string[]> {
  const child = await clone('/bin/sleep', ['1000'], { ...options, stdio });
  // Before it sleeps it has its libraries open.
  await until(() => /^State:\tS/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
  const found = Array.from({ length: count }, (_, index) => {
    try {
      return readlinkSync(`/proc/${child.pid}/fd/${index}`).replace(/:\[\d+\]$/, '');
    } catch {
      return 'none';
    }
  });
  for (const stream of child.stdio) (stream as Socket | null)?.destroy();
  child.kill('SIGKILL');
  await child.exited;
  return found;
}

describe('the forms of stdio', () => {
  test.each([
    ['pipe', ['pipe', 'pipe', 'pipe']],
    ['overlapped', ['pipe', 'pipe', 'pipe']],
    ['ignore', ['/dev/null', '/dev/null', '/dev/null']],
  ] as const)('%p', async (stdio, expected) => {
    expect(await kinds(stdio, 3)).toEqual(expected);
    expect(await kinds([stdio, stdio, stdio], 3)).toEqual(expected);
  });
  test("'inherit' is our descriptor of that number", () => {
    expect(
      evaluate(
        `const links = [0, 1, 2].map((number) => fs.readlinkSync('/proc/self/fd/' + number));
         const child = await nsclone.clone('sh', ['-c', 'exit 0'], { stdio: 'inherit' });
         await child.exited;
         const held = await nsclone.clone('sleep', ['1000'], { stdio: 'inherit' });
         const theirs = [0, 1, 2].map((number) => fs.readlinkSync('/proc/' + held.pid + '/fd/' + number));
         held.kill('SIGKILL'); await held.exited;
         return [JSON.stringify(links) === JSON.stringify(theirs), held.stdio];`,
      ),
    ).toEqual([true, [null, null, null]]);
  });
  test("'pipe' is a pipe for 0 to 2 and a socket above; 'socket' one anywhere", async () => {
    expect(await kinds(['pipe', 'pipe', 'pipe', 'pipe', 'overlapped', 'socket', 'ignore'], 7)).toEqual([
      'pipe',
      'pipe',
      'pipe',
      'socket',
      'socket',
      'socket',
      'none',
    ]);
    expect(await kinds(['socket', 'socket', 'socket'], 3)).toEqual(['socket', 'socket', 'socket']);
  });
  test('a descriptor', async () => {
    const descriptor = openSync('/etc/passwd', 'r');
    try {
      expect(await kinds([descriptor, 'ignore', 'ignore', descriptor, descriptor], 5)).toEqual([
        '/etc/passwd',
        '/dev/null',
        '/dev/null',
        '/etc/passwd',
        '/etc/passwd',
      ]);
    } finally {
      closeSync(descriptor);
    }
  });
  test('a stream of a file', async () => {
    const file = createReadStream('/etc/passwd');
    await once(file, 'open');
    const target = createWriteStream(join(folder, 'output'));
    await once(target, 'open');
    const child = await clone('/bin/cat', [], { stdio: [file, target, 'inherit'] });
    expect(await child.exited).toMatchObject({ code: 0 });
    for (const stream of [file, target]) {
      stream.destroy();
      await once(stream, 'close');
    }
    expect(readFileSync(join(folder, 'output'), 'utf8')).toBe(readFileSync('/etc/passwd', 'utf8'));
  });
  test('a socket, which blocks for the child as a program expects', async () => {
    const server = createServer();
    server.listen(join(folder, 'socket'));
    await once(server, 'listening');
    const client = connect(join(folder, 'socket'));
    const [socket] = (await once(server, 'connection')) as [Socket];
    const child = await clone('/bin/cat', [], { stdio: [socket, socket, 'ignore'] });
    client.end('hello\n');
    const { code } = await child.exited;
    socket.destroy();
    const text = await read(client).catch(String);
    server.close();
    await once(server, 'close');
    expect([code, text]).toEqual([0, 'hello\n']);
  });
  test("'inherit' of a pipe that Node reads", async () => {
    const script = `const { clone } = require(${JSON.stringify(root)});
      process.stdin.pause();
      clone('sh', ['-c', 'echo ready; cat'], { stdio: 'inherit' }).then((child) => child.exited).then(({ code }) => process.exit(code));`;
    const node = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const output = read(node.stdout);
    await once(node.stdout, 'data');
    node.stdin.end('late\n');
    expect(await output).toBe('ready\nlate\n');
    if (node.exitCode === null) await once(node, 'exit');
    expect(node.exitCode).toBe(0);
  });
  test('our own output, as process.stdout', () => {
    const { stdout, stderr } = runScript(
      `const stdio = ['ignore', process.stderr, process.stdout];
       await (await nsclone.clone('sh', ['-c', 'echo out; echo err >&2'], { stdio })).exited;`,
    );
    expect([stdout, stderr]).toEqual(['err\n', 'out\n']);
  });
  test('another child’s stream', async () => {
    const one = await clone('/bin/echo', ['through'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const two = await clone('/bin/cat', [], { stdio: [one.stdout as Socket, 'pipe', 'inherit'] });
    expect(await read(two.stdout)).toBe('through\n');
    one.stdout.destroy();
    await Promise.all([one.exited, two.exited]);
  });
  test('more than three, each with its own stream', async () => {
    const child = await sh('read line <&3; echo "got $line" >&3; echo four >&4; echo out', {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'socket'],
    });
    const [, output, errors, three, four] = child.stdio as unknown as (Socket | null)[];
    expect(errors).toBeNull();
    expect(output).toBe(child.stdout);
    three!.end('hello\n');
    expect(await Promise.all([read(three!), read(four!), read(output!)])).toEqual(['got hello\n', 'four\n', 'out\n']);
    await child.exited;
  });
  test('many', async () => {
    const stdio = ['ignore', 'pipe', 'inherit', ...Array<'socket'>(60).fill('socket')] as const;
    const child = await sh('ls /proc/self/fd | wc -l', { stdio });
    expect((child.stdio as unknown[]).length).toBe(63);
    // And the listing's own.
    expect(await read(child.stdout)).toMatch(/^\s*64\n$/);
    for (const stream of child.stdio) (stream as Socket | null)?.destroy();
    await child.exited;
  });
});

describe('descriptors that are in each other’s way', () => {
  const script = (stdio: string): string =>
    `const link = (pid, n) => { try { return fs.readlinkSync('/proc/' + pid + '/fd/' + n); } catch { return null; } };
     const child = await nsclone.clone('sleep', ['1000'], { stdio: ${stdio} });
     const status = () => fs.readFileSync('/proc/' + child.pid + '/status', 'utf8');
     await until(() => status().includes('State:\\tS'));
     const ours = Array.from({ length: 10 }, (_, n) => link('self', n));
     const theirs = Array.from({ length: 10 }, (_, n) => link(child.pid, n));
     child.kill('SIGKILL'); await child.exited;
     return { ours, theirs };`;
  // 0, 1 and 2 of a test's Node are three different pipes.
  test.each([
    [[1, 0, 2]],
    [[2, 0, 1]],
    [[1, 2, 0]],
    [[0, 0, 0]],
    [[2, 2, 2]],
    [[1, 1, 2, 0, 1]],
    [[0, 1, 2, 2, 1, 0]],
    [[2, 1, 0, 2, 1, 0, 0]],
  ])('%j', (stdio) => {
    const { ours, theirs } = evaluate<Record<string, (string | null)[]>>(script(JSON.stringify(stdio)));
    expect(theirs!.slice(0, stdio.length)).toEqual(stdio.map((number) => ours![number]));
    expect(theirs!.slice(stdio.length).filter((link) => link !== null)).toEqual([]);
  });
  test('an own descriptor where a pipe goes, and another where it lies', async () => {
    const one = openSync('/etc/passwd', 'r');
    const two = openSync('/etc/group', 'r');
    try {
      const stdio = ['ignore', 'inherit', 'inherit', ...Array<'ignore'>(Math.max(one, two)).fill('ignore')] as (
        | number
        | 'ignore'
        | 'inherit'
      )[];
      stdio[one] = two;
      stdio[two] = one;
      const found = await kinds(stdio, stdio.length);
      expect(found[one]).toBe('/etc/group');
      expect(found[two]).toBe('/etc/passwd');
    } finally {
      closeSync(one);
      closeSync(two);
    }
  });
});

describe('nothing but stdio is inherited', () => {
  test.each([
    ['without namespaces', {}],
    ['in new ones', owned(Flags.NEWPID | Flags.NEWNS | Flags.NEWNET)],
  ])('%s', async (_name, options) => {
    const descriptor = openSync('/etc/passwd', 'r');
    try {
      const output = await inside('ls /proc/$$/fd', {
        ...options,
        mounts: options.flags === undefined ? [] : [{ type: 'proc', target: '/proc' }],
      });
      expect(output.split('\n')).toEqual(['0', '1', '2']);
    } finally {
      closeSync(descriptor);
    }
  });
  test("an 'ignore' above 2 is closed, even where Node itself has inherited that number", () => {
    const wrapper = ['bash', '-c', 'exec 20</etc/passwd; exec "$@"', 'bash'];
    for (const closeFds of [true, false]) {
      const open = evaluate<boolean>(
        `const stdio = ['ignore', 'pipe', 'inherit', ...Array(20).fill('ignore')];
         const child = await nsclone.clone('sh', ['-c', 'test -e /proc/$$/fd/20 && echo open || echo closed'], { stdio, closeFds: ${closeFds} });
         let text = '';
         for await (const chunk of child.stdout) text += chunk;
         return text.trim() === 'open';`,
        wrapper,
      );
      expect([closeFds, open]).toEqual([closeFds, false]);
    }
  });
});

describe('streams', () => {
  test('a child can open its own output', async () => {
    const child = await sh('echo one > /dev/stdout; echo two > /dev/stderr; cat /dev/stdin > /proc/self/fd/1', {
      stdio: 'pipe',
    });
    child.stdin!.end('three\n');
    expect(await Promise.all([read(child.stdout), read(child.stderr)])).toEqual(['one\nthree\n', 'two\n']);
    await child.exited;
  });
  test('ten megabytes there and back', async () => {
    const data = Buffer.alloc(10 * 1024 * 1024, 'abcdefghijklmnop\n');
    const child = await clone('/bin/cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(data);
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(data)).toBe(true);
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('ten megabytes through a socket', async () => {
    const child = await sh('cat <&3 >&3', { stdio: ['ignore', 'ignore', 'inherit', 'socket'] });
    const socket = (child.stdio as unknown as Socket[])[3]!;
    const data = Buffer.alloc(10 * 1024 * 1024, 'x');
    socket.end(data);
    let length = 0;
    for await (const chunk of socket) length += (chunk as Buffer).length;
    expect(length).toBe(data.length);
    await child.exited;
  });
  test('the end of stdin ends the child', async () => {
    const child = await clone('/bin/cat', [], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.stdin.end();
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('writing to a child that does not read is EPIPE on the stream, and no crash', async () => {
    const child = await sh('exec 0<&-; echo ready; sleep 0.1', { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout!, 'data');
    const error = once(child.stdin!, 'error');
    child.stdin!.write('x'.repeat(100_000));
    expect((await error)[0]).toMatchObject({ code: 'EPIPE' });
    await child.exited;
  });
  test('what is written into stdin is flushed although nobody waits', async () => {
    const child = await sh('wc -c', { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin!.write('x'.repeat(100_000));
    child.stdin!.end();
    expect((await read(child.stdout)).trim()).toBe('100000');
    await child.exited;
  });
  test('reading after the end works', async () => {
    const child = await sh('echo out; echo err >&2', { stdio: 'pipe' });
    await child.exited;
    expect(await Promise.all([read(child.stdout), read(child.stderr)])).toEqual(['out\n', 'err\n']);
  });
  test('and so does reading after the end, as much as a pipe holds', async () => {
    const child = await sh('head -c 65536 /dev/zero', { stdio: ['ignore', 'pipe', 'inherit'] });
    await child.exited;
    expect((await read(child.stdout)).length).toBe(65536);
  });
  test('streams are the same objects each time', async () => {
    const child = await sh('true', { stdio: 'pipe' });
    expect(child.stdout).toBe(child.stdout);
    expect((child.stdio as unknown[])[2]).toBe(child.stderr);
    expect((child.stdio as unknown[])[0]).toBe(child.stdin);
    await closed(child);
    expect(child.stdout).toBe(child.stdout);
  });
  test('a stream that is first touched after the close has what was written', async () => {
    const child = await sh('echo kept', { stdio: 'pipe' });
    await closed(child);
    expect(await Promise.all([read(child.stdout), read(child.stderr)])).toEqual(['kept\n', '']);
    expect(child.stdin!.writable).toBe(false);
  });
  test('what is written into a socket and never read takes nothing from what came out of it', async () => {
    const { wait, end } = lasting();
    const child = await sh(`echo out >&3; ${wait}`, { stdio: ['ignore', 'ignore', 'inherit', 'socket'] });
    const socket = (child.stdio as unknown as Socket[])[3]!;
    // The kernel tells of it by ECONNRESET, behind all that was written.
    socket.write('never read', end);
    await closed(child);
    expect(await read(socket)).toBe('out\n');
  });
  test('child_process takes one, and what comes later is for its child', async () => {
    const child = await sh('sleep 0.1; echo through', { stdio: ['ignore', 'pipe', 'inherit'] });
    const end = closed(child);
    const other = spawn('/bin/cat', [], { stdio: [child.stdout as Socket, 'pipe', 'inherit'] });
    expect(await read(other.stdout)).toBe('through\n');
    await end;
    child.stdout!.destroy();
  });
  test('node:http takes a socket as a connection', async () => {
    const server = createHttpServer((request, response) => response.end(`hello ${request.url}`));
    const request = String.raw`printf 'GET /there HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3; cat <&3`;
    const child = await sh(request, { stdio: ['ignore', 'pipe', 'inherit', 'socket'] });
    server.emit('connection', (child.stdio as unknown as Socket[])[3]);
    expect(await read(child.stdout)).toMatch(/\r\n\r\nhello \/there$/);
    await child.exited;
  });
});

describe("'close' and readers", () => {
  const much = (size: number): Promise<ClonedProcess> =>
    sh(`(sleep 0.05; head -c ${size} /dev/zero) & exit 0`, { stdio: ['ignore', 'pipe', 'inherit'] });

  test('whoever reads has all of it before, however slowly he reads', async () => {
    const child = await much(300_000);
    let size = 0;
    const sizeAtClose = closed(child).then(() => size);
    for await (const chunk of child.stdout!) {
      size += (chunk as Buffer).length;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect([size, await sizeAtClose]).toEqual([300_000, 300_000]);
  });
  test('so it is with a pipeline that takes its time', async () => {
    const child = await much(300_000);
    let size = 0;
    const slow = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        setTimeout(() => {
          size += chunk.length;
          callback();
        }, 2);
      },
    });
    child.stdout!.pipe(slow, { end: false });
    await closed(child);
    expect(size + slow.writableLength).toBe(300_000);
    slow.end();
    await once(slow, 'finish');
    expect(size).toBe(300_000);
  });
  test('a reader that goes is not waited for, and one that comes later finds the rest', async () => {
    const child = await much(300_000);
    const first = ((await once(child.stdout!, 'data')) as [Buffer])[0].length;
    child.stdout!.pause();
    await closed(child);
    expect(first + (await read(child.stdout)).length).toBe(300_000);
  });
  test('a stream that was told to flow with nobody there is at its end', async () => {
    const child = await much(300_000);
    child.stdout!.resume();
    await closed(child);
    expect(await read(child.stdout)).toBe('');
  });
  test('1 MiB is kept where nobody reads', async () => {
    const child = await much(3_000_000);
    await closed(child);
    expect((await read(child.stdout)).length).toBe(1_048_576);
  });
  test('a living child is not read on: it waits for its reader', async () => {
    const child = await sh('head -c 3000000 /dev/zero', { stdio: ['ignore', 'pipe', 'inherit'] });
    expect(child.stdout!.readableLength).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(child.exitCode).toBeNull();
    expect((await read(child.stdout)).length).toBe(3_000_000);
    await child.exited;
  });
  test('text is text also where it was kept as bytes', async () => {
    const child = await sh(String.raw`printf '\303'; sleep 0.05; printf '\244'`, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = child;
    await closed(child);
    stdout!.setEncoding('utf8');
    expect(stdout!.read()).toBe('ä');
    stdout!.destroy();
  });
});

describe('streams that nobody touches', () => {
  test('a pipe that is full when the child ends is drained', async () => {
    const child = await sh('head -c 65536 /dev/zero', { stdio: ['ignore', 'pipe', 'inherit'] });
    await closed(child);
    expect(child.exitCode).toBe(0);
  });
  test('a grandchild that writes more than a pipe holds after the end is not blocked for ever', async () => {
    const done = join(folder, 'done');
    const child = await sh(`(sleep 0.1; head -c 300000 /dev/zero; echo > ${done}) & exit 0`, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(await child.exited).toMatchObject({ code: 0 });
    await closed(child);
    expect(readFileSync(done, 'utf8')).toBe('\n');
  });
  test('a touched one without a reader does not hold up the close either, and keeps what it has', async () => {
    const child = await sh('head -c 200000 /dev/zero & exit 0', { stdio: ['ignore', 'pipe', 'inherit'] });
    expect(child.stdout).not.toBeNull();
    await closed(child);
    expect((await read(child.stdout)).length).toBe(200_000);
  });
  test("'close' comes although nothing was touched", async () => {
    const child = await sh('exit 0', { stdio: ['pipe', 'pipe', 'pipe', 'socket', 'pipe'] });
    await closed(child);
    expect(child.exitCode).toBe(0);
  });
});

describe('a Node that was started with closed descriptors', () => {
  const started = (redirections: string): string[] => ['sh', '-c', `exec "$@" ${redirections}`, 'sh'];

  test.each([['0<&-'], ['0<&- 2>&-'], ['0<&- 1>/dev/null']])('%s', async (redirections) => {
    const report = join(folder, 'report');
    const script = `const { clone } = require(${JSON.stringify(root)}); const fs = require('node:fs');
      (async () => {
        const child = await clone('sh', ['-c', 'cat; echo err >&2'], { stdio: 'pipe' });
        child.stdin.end('in');
        let out = '', err = '';
        child.stdout.on('data', (chunk) => { out += chunk; });
        child.stderr.on('data', (chunk) => { err += chunk; });
        await new Promise((resolve) => child.on('close', resolve));
        const { code } = await (await clone('true', { stdio: 'inherit' })).exited;
        fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify([out, err, code]));
      })();`;
    const argv = [...started(redirections), process.execPath, '-e', script];
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    await once(child, 'exit');
    expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual(['in', 'err\n', 0]);
  });
  test('0<&- 1>&- 2>&-', async () => {
    const report = join(folder, 'report');
    const script = `const { clone } = require(${JSON.stringify(root)}); const fs = require('node:fs');
      const start = async (stdio) => { const child = await clone('sh', ['-c', 'echo out; cat'], { stdio });
        child.stdin?.end('in'); let text = '';
        if (child.stdout) for await (const chunk of child.stdout) text += chunk;
        return [text, (await child.exited).code]; };
      (async () => {
        const results = [await start('pipe'), await start('ignore'), await start(['pipe', 'pipe', 'ignore', 'pipe'])];
        fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify(results));
      })();`;
    const argv = [...started('0<&- 1>&- 2>&-'), process.execPath, '-e', script];
    const child = spawn(argv[0]!, argv.slice(1), { stdio: 'ignore' });
    await once(child, 'exit');
    expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual([
      ['out\nin', 0],
      ['', 0],
      ['out\nin', 0],
    ]);
  });
  test('0, 1 and 2 closed by the program itself', async () => {
    const report = join(folder, 'report');
    const script = `const { clone } = require(${JSON.stringify(root)}); const fs = require('node:fs');
      for (const descriptor of [0, 1, 2]) fs.closeSync(descriptor);
      (async () => {
        const child = await clone('sh', ['-c', 'cat; echo out'], { stdio: 'pipe' });
        child.stdin.end('in ');
        let text = '';
        for await (const chunk of child.stdout) text += chunk;
        fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify([text, (await child.exited).code]));
      })();`;
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    await once(child, 'exit');
    expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual(['in out\n', 0]);
  });
});

test('streams of many children do not mix', async () => {
  const outputs = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const child = await clone('/bin/cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.end(`child ${index}`);
      const text = await read(child.stdout);
      await child.exited;
      return text;
    }),
  );
  expect(outputs).toEqual(Array.from({ length: 50 }, (_, index) => `child ${index}`));
});

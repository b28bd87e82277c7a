// The types of fork(): a child is a ChildProcess, and has the streams that stdio, silent and pty leave.
import type { ChildProcess, Serializable } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

import { expectTypeOf } from 'expect-type';

import { type ClonedProcess, Flags, fork, type ForkedProcess, type ForkOptions, type PtyStream } from '../../lib';

test('the streams are those of stdio, silent and pty', () => {
  const forms = async (options: ForkOptions): Promise<void> => {
    expectTypeOf((await fork('m.js')).stdout).toEqualTypeOf<null>();
    expectTypeOf((await fork(new URL('file:///m.js'), ['a'], { flags: Flags.NEWUSER })).stdin).toEqualTypeOf<null>();
    expectTypeOf((await fork('m.js', { silent: true })).stdout).toEqualTypeOf<Readable>();
    expectTypeOf((await fork('m.js', [], { stdio: 'pipe' })).stdin).toEqualTypeOf<Writable>();
    const some = await fork('m.js', [], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    expectTypeOf(some.stdin).toEqualTypeOf<null>();
    expectTypeOf(some.stdout).toEqualTypeOf<Readable>();
    expectTypeOf((await fork('m.js', { pty: true })).pty).toEqualTypeOf<PtyStream>();
    expectTypeOf((await fork('m.js', options)).stdout).toEqualTypeOf<Readable | null>();
    // @ts-expect-error -- no such option
    await fork('m.js', { execargv: [] });
    // @ts-expect-error -- nor behind arguments
    await fork('m.js', [], { serialization: 'xml' });
    // @ts-expect-error -- a number
    await fork(5);
  };
  expect(forms).toBeInstanceOf(Function);
});

test('a child is a ChildProcess, to which values are sent and no handles', () => {
  expectTypeOf<ForkedProcess>().toExtend<ChildProcess>();
  expectTypeOf<ForkedProcess>().toExtend<ClonedProcess>();
  const send = (child: ForkedProcess, message: Serializable, handle: import('node:net').Socket): void => {
    child.send(message, (error) => expectTypeOf(error).toEqualTypeOf<Error | null>());
    child.send(message, undefined, { keepOpen: false }, () => {});
    // @ts-expect-error -- a handle
    child.send(message, handle);
    // @ts-expect-error -- of a handle
    child.send(message, undefined, { keepOpen: true });
  };
  expect(send).toBeInstanceOf(Function);
});

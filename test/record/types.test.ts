// The types of recordings: what a callback returns decides what comes back.
import { expectTypeOf } from 'expect-type';

import {
  type BufferHandle,
  type Calls,
  clone,
  type ClonedCommand,
  type ClonedProcess,
  type Fd,
  type InternetAddress,
  type Program,
  record,
  type Recorder,
  type Result,
  type Value,
} from '../../lib';
import { recordable, type SignatureName } from '../../lib/program/signatures';

test('a handle comes back as a number, memory as a Buffer, nothing as undefined', () => {
  const program = record((c) => c.getpid());
  expectTypeOf(program).toEqualTypeOf<Program<number>>();
  expect(program.bring.what).toBe('result');
  expectTypeOf(record((c) => c.buffer(8))).toEqualTypeOf<Program<Buffer>>();
  expectTypeOf(record((c) => c.pipe2())).toEqualTypeOf<Program<[readEnd: number, writeEnd: number]>>();
  expectTypeOf(record((c) => c.exit(0))).toEqualTypeOf<Program>();
  expectTypeOf(
    record((c) => {
      c.getpid();
    }),
  ).toEqualTypeOf<Program<undefined>>();
});

test('objects and arrays come back in their own shape', () => {
  const program = record((c) => ({
    pid: c.getpid(),
    text: c.buffer(8),
    ends: c.pipe2(),
    deep: { list: [c.getuid()] },
  }));
  expect(program.bring.what).toBe('object');
  expectTypeOf(program).toEqualTypeOf<
    Program<{ pid: number; text: Buffer; ends: [readEnd: number, writeEnd: number]; deep: { list: [number] } }>
  >();
});

test('a callback returns handles only, and not a promise of them', () => {
  const check = (): void => {
    // @ts-expect-error -- a number is known already
    record(() => 5);
    // @ts-expect-error -- nor are strings handles
    record((c) => ({ pid: c.getpid(), name: 'x' }));
    // @ts-expect-error -- the line is recorded before a promise settles
    record((c) => Promise.resolve(c.getpid()));
  };
  expect(check).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});

test('clone() knows what a program brings back, and the options that it takes', () => {
  const start = (program: Program<{ sock: number }>): void => {
    expectTypeOf(clone(program)).resolves.toEqualTypeOf<ClonedProcess<{ sock: number }>>();
    expectTypeOf(clone(program, { flags: 0, exitSignal: 'SIGRTMIN+1' })).resolves.toHaveProperty('results');
    expectTypeOf(clone('/bin/true')).resolves.toEqualTypeOf<ClonedCommand>();
    // @ts-expect-error -- an option of commands
    void clone(program, { hostname: 'box' });
    // @ts-expect-error -- an option of programs
    void clone('/bin/true', { exitSignal: 'SIGCHLD' });
  };
  expect(start).toBeDefined();
});

test('a descriptor is a number, a result, or what has one', () => {
  expectTypeOf<number>().toExtend<Fd>();
  expectTypeOf<Result>().toExtend<Fd>();
  expectTypeOf<Value>().toExtend<Fd>();
  expectTypeOf<{ readonly fd: number }>().toExtend<Fd>();
  expectTypeOf<string>().not.toExtend<Fd>();
  expectTypeOf<BufferHandle>().not.toExtend<Fd>();
  expect(String(record((c) => void c.close({ fd: 5 })))).toContain('close(5)');
});

test('calls have the arguments of their man pages', () => {
  expect(String(record((c) => void c.openat(3, 'x', 0)))).toContain('openat(3, "x", O_RDONLY, 0)');
  expectTypeOf<Recorder['openat']>().parameters.toEqualTypeOf<
    [directory: Fd, path: string, flags: number | Value, mode?: number | Value | undefined]
  >();
  expectTypeOf<Recorder['bind']>().parameter(1).extract<InternetAddress>().toEqualTypeOf<InternetAddress>();
  expectTypeOf<Recorder['getpid']>().toEqualTypeOf<() => Result>();
  expectTypeOf<Result['accept']>().parameters.toEqualTypeOf<[string, ...string[]]>();
});

test('every call that is declared has a signature, and the other way round', () => {
  expectTypeOf<keyof Calls>().toEqualTypeOf<Exclude<SignatureName, 'clone'>>();
  record((c) => {
    for (const name of recordable()) expect([name, name in c]).toEqual([name, name !== 'clone']);
  });
});

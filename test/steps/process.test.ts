// Step `process`: the second clone.
import { readFileSync } from 'node:fs';

import { clone, Flags } from '../../lib';
import { calls, failAt } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning } from '../support/refusal';

leavesNothing();

const options = owned(Flags.NEWPID);
const status = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;

describe('process rejects', () => {
  test('nothing: it has no option of its own', () => {
    expect(planning({ flags: Flags.NEWPID })).not.toThrow();
  });
});

describe('process emits', () => {
  test('nothing where nobody must be born elsewhere', () => {
    expect(emitted('process', owned(Flags.NEWUTS | Flags.NEWNET))).toEqual([]);
  });
  test('the clone, then the death with Node and a look for it', () => {
    expect(emitted('process', { flags: Flags.NEWPID })).toEqual([
      'flags: clone(CLONE_PARENT|CLONE_PARENT_SETTID|CLONE_NEWPID, NULL, &report.pid, NULL, NULL)  # go on in the new process',
      'flags: prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)',
      expect.stringMatching(/^flags: recvfrom\(channel, /),
    ]);
  });
});

describe('process, seen from inside', () => {
  test('the program is pid 1, without a parent', async () => {
    expect(await inside('echo $$ $PPID', options)).toBe('1 0');
  });
  test('from outside it is our own child', async () => {
    const child = await clone('/bin/cat', { ...options, stdio: ['pipe', 'ignore', 'inherit'] });
    expect(status(child.pid, 'PPid')).toBe(String(process.pid));
    expect(status(child.pid, 'NSpid').split(/\s+/).at(-1)).toBe('1');
    child.stdin!.end();
    expect(await child.exited).toMatchObject({ code: 0, signal: null });
  });
  test('its end takes the whole namespace with it', async () => {
    const child = await clone('/bin/sh', ['-c', 'sleep 1000 & echo started'], {
      ...options,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // The grandchild holds the pipe: its end comes only when that is gone too.
    let output = '';
    for await (const chunk of child.stdout!) output += String(chunk);
    expect(output).toBe('started\n');
    expect(await child.exited).toMatchObject({ code: 0 });
  });
  test('exit codes and signals of pid 1 are its own', async () => {
    expect(await (await clone('/bin/sh', ['-c', 'exit 7'], options)).exited).toMatchObject({ code: 7, signal: null });
    const child = await clone('/bin/sleep', ['1000'], options);
    expect(child.kill('SIGKILL')).toBe(true);
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
  });
});

describe('process, when the kernel refuses', () => {
  test.each([
    ['ENOSPC', /user\.max_pid_namespaces/],
    ['EAGAIN', /RLIMIT_NPROC.*pids\.max/],
  ])('the clone with %s, with what to look at', async (code, hint) => {
    const error = await failAt(options, calls('clone('), code);
    expect(error).toMatchObject({ code, step: 'process', option: 'flags', syscall: 'clone' });
    expect(error.hint).toMatch(hint);
  });
  test('a call of the new process', async () => {
    const error = await failAt(options, ({ step, call }) => step === 'process' && call.startsWith('prctl'), 'EINVAL');
    expect(error).toMatchObject({ code: 'EINVAL', step: 'process', option: 'flags', syscall: 'prctl' });
  });
});

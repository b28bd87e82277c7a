// Step `session`: the session and the process group of the child.
import { readFileSync } from 'node:fs';

import { clone, type CloneOptions, Flags } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

interface Place {
  readonly group: number;
  readonly session: number;
}

/** Process group and session of a process, as we see them. */
function placeOf(pid: number | 'self'): Place {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { group: Number(group), session: Number(session) };
}

/** Those of a child while it runs, and its pid. */
async function placeWith(options: CloneOptions): Promise<Place & { pid: number }> {
  const child = await clone('/bin/sleep', ['100'], { ...options, stdio: 'ignore' });
  try {
    return { pid: child.pid, ...placeOf(child.pid) };
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

const ours = placeOf('self');

describe('session rejects', () => {
  test.each(['true', 1, null, {}])('detached %p', (detached) => {
    expect(planning({ detached })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'detached'));
  });
  test.each(['0', true, null, {}])('processGroup %p', (processGroup) => {
    expect(planning({ processGroup })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'processGroup'));
  });
  test.each([-1, 2 ** 22 + 1, 0.5, NaN])('processGroup %p', (processGroup) => {
    expect(planning({ processGroup })).toThrow(refusal('ERR_OUT_OF_RANGE', 'processGroup'));
  });
  test('a process group for the leader of a session, which has one', () => {
    const because = 'the leader of a session leads a process group of its own';
    expect(planning({ detached: true, processGroup: 0 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'processGroup', `cannot go with detached: ${because}`),
    );
    expect(planning({ pty: true, processGroup: 0 })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'processGroup', `cannot go with pty: ${because}`),
    );
    expect(planning({ detached: false, pty: false, processGroup: 0 })).not.toThrow();
  });
});

describe('session emits', () => {
  test('nothing where nothing is asked for', () => {
    expect(emitted('session', {})).toEqual([]);
    expect(emitted('session', { detached: false })).toEqual([]);
  });
  test('a session', () => {
    expect(emitted('session', { detached: true })).toEqual(['detached: setsid()']);
  });
  test('one for a terminal, too', () => {
    expect(emitted('session', { pty: true })).toEqual(['pty: setsid()']);
    expect(emitted('session', { pty: true, detached: true })).toEqual(['detached: setsid()']);
  });
  test('a process group', () => {
    expect(emitted('session', { processGroup: 0 })).toEqual(['processGroup: setpgid(0, 0)']);
    expect(emitted('session', { processGroup: 123 })).toEqual(['processGroup: setpgid(0, 123)']);
  });
});

describe('session, seen from inside', () => {
  test('without options it is in our group and session', async () => {
    expect(await placeWith({})).toMatchObject(ours);
    expect(await placeWith(owned(Flags.NEWPID))).toMatchObject(ours);
  });
  test.each([
    ['without namespaces', {}],
    ['in a pid namespace', owned(Flags.NEWPID)],
  ])('detached leads both, %s', async (_name, namespaces) => {
    const { pid, group, session } = await placeWith({ ...namespaces, detached: true });
    expect([group, session]).toEqual([pid, pid]);
  });
  test.each([
    ['without namespaces', {}],
    ['in a pid namespace', owned(Flags.NEWPID)],
  ])('process group 0 is one of its own, in our session, %s', async (_name, namespaces) => {
    const { pid, group, session } = await placeWith({ ...namespaces, processGroup: 0 });
    expect([group, session]).toEqual([pid, ours.session]);
  });
  test('several in one group are signalled together', async () => {
    const leader = await clone('/bin/sleep', ['100'], { processGroup: 0, stdio: 'ignore' });
    const other = await clone('/bin/sleep', ['100'], { processGroup: leader.pid, stdio: 'ignore' });
    expect(placeOf(other.pid)).toEqual({ group: leader.pid, session: ours.session });
    process.kill(-leader.pid, 'SIGTERM');
    for (const { exited } of [leader, other]) expect(await exited).toMatchObject({ code: null, signal: 'SIGTERM' });
  });
  test('in a pid namespace the ids are those inside', async () => {
    const output = await inside('cut -d " " -f 1,5,6 /proc/self/stat', {
      ...owned(Flags.NEWPID | Flags.NEWNS),
      mounts: [{ type: 'proc', target: '/proc' }],
      detached: true,
    });
    expect(output).toMatch(/^\d+ 1 1$/);
  });
});

describe('session, when the kernel refuses', () => {
  test('a session', async () => {
    expect(fieldsOf(await failAt({ detached: true }, calls('setsid'), 'EPERM'))).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'session',
      option: 'detached',
      syscall: 'setsid',
      message: 'EPERM: operation not permitted, setsid (detached)',
    });
  });
  test('a process group that is not there', async () => {
    const hint = 'there is no such process group in our session';
    const error = await clone('/bin/true', { processGroup: 2 ** 22 }).catch((reason: unknown) => reason as never);
    expect(fieldsOf(error as never)).toEqual({
      code: 'EPERM',
      errno: -1,
      step: 'session',
      option: 'processGroup',
      syscall: 'setpgid',
      hint,
      message: `EPERM: operation not permitted, setpgid (processGroup): ${hint}`,
    });
  });
});

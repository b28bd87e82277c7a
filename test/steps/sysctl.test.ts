// Step `sysctl`: kernel parameters of the namespaces that are new here.
import { readFileSync } from 'node:fs';

import { clone, type ClonedProcess, Flags, plan, type SyscallError } from '../../lib';
import { calls, failAt, fieldsOf } from '../support/fault';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted, linesOf, openingProc } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const forwarding = 'net.ipv4.ip_forward';
const forwardingFile = '/proc/sys/net/ipv4/ip_forward';
const net = owned(Flags.NEWNET);

describe('sysctl rejects', () => {
  test.each([
    [forwarding, 'NEWNET', Flags.NEWIPC],
    ['kernel.msgmax', 'NEWIPC', Flags.NEWNET],
    ['kernel.sem', 'NEWIPC', Flags.NEWNET],
    ['kernel.shmmax', 'NEWIPC', Flags.NEWUTS],
    ['kernel.shm_rmid_forced', 'NEWIPC', Flags.NEWUTS],
    ['fs.mqueue.msg_max', 'NEWIPC', Flags.NEWNS],
    ['user.max_net_namespaces', 'NEWUSER', Flags.NEWNET],
  ])('%s without its namespace, naming Flags.%s', (name, flag, other) => {
    for (const flags of [0, other]) {
      expect(planning({ flags, sysctl: { [name]: '1' } })).toThrow(
        refusal(
          'ERR_INVALID_ARG_VALUE',
          `sysctl.${name}`,
          `needs Flags.${flag} in flags: without it the parameter of the host would be changed`,
        ),
      );
    }
  });
  test.each([
    'kernel.pid_max',
    'kernel.core_pattern',
    'kernel.unprivileged_userns_clone',
    'vm.overcommit_memory',
    'fs.file-max',
    'fs.mqueue_x',
    'abi.vsyscall32',
    'network.x',
    'users.x',
  ])('%s, which belongs to the host whatever is new', (name) => {
    const flags = Flags.NEWUSER | Flags.NEWNET | Flags.NEWIPC | Flags.NEWUTS | Flags.NEWNS | Flags.NEWPID;
    expect(planning({ flags, sysctl: { [name]: '1' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', `sysctl.${name}`, 'belongs to the host'),
    );
  });
  test.each(['hostname', 'domainname'])('kernel.%s, which has an option of its own', (name) => {
    expect(planning({ flags: Flags.NEWUSER | Flags.NEWUTS, sysctl: { [`kernel.${name}`]: 'box' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', `sysctl.kernel.${name}`, `is set by the option ${name}`),
    );
  });
  test.each([
    '',
    'net',
    'net.',
    '.net.x',
    'net..x',
    'net.a//b',
    'net./../../kernel.hostname',
    'net.x/',
    'net.a b',
    'net.x\0',
    'net.x\n',
    'net/ipv4/ip_forward',
    '/proc/sys/net/ipv4/ip_forward',
  ])('the name %p, which is none', (name) => {
    expect(planning({ ...net, sysctl: { [name]: '1' } })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'sysctl', "must have names such as 'net.ipv4.ip_forward'"),
    );
  });
  test('a value that is no string, is empty or has a NUL byte', () => {
    const option = `sysctl.${forwarding}`;
    for (const value of [1, true, null, ['1']]) {
      expect(planning({ ...net, sysctl: { [forwarding]: value } })).toThrow(refusal('ERR_INVALID_ARG_TYPE', option));
    }
    for (const value of ['', '1\0']) {
      expect(planning({ ...net, sysctl: { [forwarding]: value } })).toThrow(refusal('ERR_INVALID_ARG_VALUE', option));
    }
  });
  test.each([5, null, 'net.ipv4.ip_forward=1', [], new Map([[forwarding, '1']])])('%p', (sysctl) => {
    expect(planning({ ...net, sysctl })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'sysctl'));
  });
});

describe('sysctl emits', () => {
  test('nothing where there is none', () => {
    expect(emitted('sysctl', net)).toEqual([]);
    expect(emitted('sysctl', { ...net, sysctl: {} })).toEqual([]);
    expect(emitted('sysctl', { ...net, sysctl: { [forwarding]: undefined } })).toEqual([]);
  });
  test('a file for each, in the given order', () => {
    const sysctl = { [forwarding]: '1', 'net.ipv4.ping_group_range': '0 10' };
    const lines = emitted('sysctl', { flags: Flags.NEWNET, sysctl });
    expect(lines).toEqual([
      `sysctl.${forwarding}: ${openingProc(forwardingFile.slice('/proc/'.length))} = r0  # EAGAIN: once more`,
      `sysctl.${forwarding}: write(r0, "1", 1)  # at least 1`,
      `sysctl.${forwarding}: close(r0)`,
      `sysctl.net.ipv4.ping_group_range: ${openingProc('sys/net/ipv4/ping_group_range')} = r1  # EAGAIN: once more`,
      'sysctl.net.ipv4.ping_group_range: write(r1, "0 10", 4)  # at least 4',
      'sysctl.net.ipv4.ping_group_range: close(r1)',
    ]);
  });
  test('a slash for the dot in the name of an interface, as sysctl(8) has it', () => {
    const sysctl = { 'net.ipv4.conf.eth0/1.forwarding': '1' };
    expect(emitted('sysctl', { ...net, sysctl })[0]).toContain('"sys/net/ipv4/conf/eth0.1/forwarding"');
  });
  test('once the namespaces are there', () => {
    const steps = linesOf(plan('/bin/true', [], { ...net, sysctl: { [forwarding]: '1' } })).map(({ step }) => step);
    expect(steps.indexOf('sysctl')).toBeGreaterThan(steps.lastIndexOf('namespaces'));
  });
});

describe('sysctl, seen from inside', () => {
  test.each([
    ['net', Flags.NEWNET, 'net.ipv4.ip_forward', '1'],
    ['net', Flags.NEWNET, 'net.ipv4.conf.lo.forwarding', '1'],
    ['ipc', Flags.NEWIPC, 'kernel.msgmax', '4321'],
    ['ipc', Flags.NEWIPC, 'kernel.sem', '250\t32000\t32\t127'],
    ['ipc', Flags.NEWIPC, 'kernel.shm_rmid_forced', '1'],
    ['user', 0, 'user.max_net_namespaces', '17'],
  ])('of the %s namespace', async (_kind, flags, name, value) => {
    const file = `/proc/sys/${name.replaceAll('.', '/')}`;
    const before = readFileSync(file, 'utf8');
    expect(await inside(`cat ${file}`, { ...owned(flags), sysctl: { [name]: value } })).toBe(value);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
  test('several at once, in a pid namespace with a proc of its own', async () => {
    const output = await inside(`cat ${forwardingFile} /proc/sys/kernel/msgmax`, {
      ...owned(Flags.NEWNET | Flags.NEWIPC | Flags.NEWPID | Flags.NEWNS),
      sysctl: { [forwarding]: '1', 'kernel.msgmax': '77' },
      mounts: [{ type: 'proc', target: '/proc' }],
    });
    expect(output).toBe('1\n77');
  });
});

describe('sysctl, when the kernel refuses', () => {
  const refused = async (name: string, value = '1'): Promise<Record<string, unknown>> =>
    fieldsOf(
      (await clone('/bin/true', { ...net, sysctl: { [name]: value } }).catch(
        (error: unknown) => error,
      )) as SyscallError,
    );

  test('a parameter that it does not have', async () => {
    const hint = 'this kernel has no such parameter, or only the first namespace has it';
    expect(await refused('net.ipv4.xyzzy')).toEqual({
      code: 'ENOENT',
      errno: -2,
      step: 'sysctl',
      option: 'sysctl.net.ipv4.xyzzy',
      syscall: 'openat2',
      path: '/proc/sys/net/ipv4/xyzzy',
      hint,
      message: `ENOENT: no such file or directory, openat2 /proc/sys/net/ipv4/xyzzy (sysctl.net.ipv4.xyzzy): ${hint}`,
    });
  });
  test('a value of a parameter with names that it does not know', async () => {
    expect(await refused('net.ipv4.tcp_congestion_control', 'none')).toMatchObject({
      code: 'ENOENT',
      syscall: 'write',
      hint: 'the kernel does not know this value',
    });
  });
  test('a parameter of root, who has no place in the user namespace', async () => {
    const flags = Flags.NEWUSER | Flags.NEWIPC;
    const start = (ids: 'root' | 'keep'): Promise<unknown> =>
      clone('/bin/true', { flags, uidMap: ids, gidMap: ids, setgroups: 'deny', sysctl: { 'kernel.msgmax': '4242' } });
    const own = 'keep' as const;
    // Where it has none it is the files' of the root of the host.
    if (process.geteuid!() !== 0)
      await expect(start(own)).rejects.toMatchObject({
        code: 'EACCES',
        hint: 'it belongs to id 0, which has no place in the user namespace; see uidMap and gidMap',
      });
    await expect(start('root').then((child) => (child as ClonedProcess).exited)).resolves.toMatchObject({ code: 0 });
  });
  test('a value that it does not take', async () => {
    expect(await refused(forwarding, 'perhaps')).toMatchObject({
      code: 'EINVAL',
      option: `sysctl.${forwarding}`,
      syscall: 'write',
      path: forwardingFile,
      hint: 'the kernel does not take this value',
    });
  });
  test.each([
    ['EROFS', /read-only here \(inside a container\?\)/],
    ['EACCES', /only the host may change it/],
  ])('%s, with what it may be', async (code, hint) => {
    const error = await failAt(
      { ...net, sysctl: { [forwarding]: '1' } },
      calls(openingProc(forwardingFile.slice('/proc/'.length))),
      code,
    );
    expect(error).toMatchObject({ code, step: 'sysctl', option: `sysctl.${forwarding}`, path: forwardingFile });
    expect(error.hint).toMatch(hint);
  });
});

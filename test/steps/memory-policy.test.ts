// Step `memoryPolicy`: on which nodes memory is taken.
import { existsSync, readFileSync } from 'node:fs';

import { type CloneOptions, Flags, type MemoryPolicy } from '../../lib';
import { needing } from '../support/capability';
import { calls, failAt, fieldsOf } from '../support/fault';
import { hosts, onHost } from '../support/host';
import { inside, owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { emitted } from '../support/listing';
import { planning, refusal } from '../support/refusal';

leavesNothing();

const given = (memoryPolicy: unknown): (() => unknown) => planning({ memoryPolicy });

describe('memoryPolicy rejects', () => {
  test('a mode or a flag that is none, with the nearest', () => {
    expect(given({ mode: 'MPOL_BLIND', nodes: '0' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'memoryPolicy.mode', 'did you mean "MPOL_BIND"?'),
    );
    expect(given({ mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'memoryPolicy.flags[0]', 'MPOL_F_STATIC_NODES'),
    );
    expect(given({ nodes: '0' })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'memoryPolicy.mode'));
  });
  test.each(['a', '0-', '-1', '1,,2', '0x1', '3-1', '0 1'])('the nodes %p', (nodes) => {
    expect(given({ mode: 'MPOL_BIND', nodes })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'memoryPolicy.nodes'));
  });
  test('nodes that no kernel has', () => {
    expect(given({ mode: 'MPOL_BIND', nodes: '0-1024' })).toThrow(refusal('ERR_OUT_OF_RANGE', 'memoryPolicy.nodes'));
    expect(given({ mode: 'MPOL_BIND', nodes: [0, -1] })).toThrow(refusal('ERR_OUT_OF_RANGE', 'memoryPolicy.nodes[1]'));
    expect(given({ mode: 'MPOL_BIND', nodes: ['0'] })).toThrow(
      refusal('ERR_INVALID_ARG_TYPE', 'memoryPolicy.nodes[0]'),
    );
  });
  test('what is no field, and no object', () => {
    expect(given({ mode: 'MPOL_BIND', noodes: '0' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'memoryPolicy.noodes', 'did you mean "nodes"?'),
    );
    expect(given({ mode: 'MPOL_BIND', nodes: 0 })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'memoryPolicy.nodes'));
    for (const value of ['MPOL_BIND', 0, null, [], true])
      expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'memoryPolicy'));
  });
  test.each<[string, object, string]>([
    ['nodes', { mode: 'MPOL_DEFAULT', nodes: '0' }, 'must be empty'],
    ['nodes', { mode: 'MPOL_LOCAL', nodes: [1] }, 'must be empty'],
    ['nodes', { mode: 'MPOL_BIND' }, 'must name at least one'],
    ['nodes', { mode: 'MPOL_INTERLEAVE', nodes: '' }, 'must name at least one'],
    ['nodes', { mode: 'MPOL_PREFERRED_MANY', nodes: [] }, 'must name at least one'],
    ['flags', { mode: 'MPOL_PREFERRED', nodes: '0', flags: ['MPOL_F_NUMA_BALANCING'] }, 'MPOL_F_NUMA_BALANCING'],
    ['flags', { mode: 'MPOL_PREFERRED', flags: ['MPOL_F_STATIC_NODES'] }, 'without nodes'],
    ['flags', { mode: 'MPOL_DEFAULT', flags: ['MPOL_F_RELATIVE_NODES'] }, 'without nodes'],
    [
      'flags',
      { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES'] },
      'cannot have both',
    ],
  ])('%s that contradict the rest: %j', (field, value, message) => {
    expect(given(value)).toThrow(refusal('ERR_INVALID_ARG_VALUE', `memoryPolicy.${field}`, message));
  });
});

describe('memoryPolicy emits', () => {
  test('nothing where it is not given', () => {
    expect(emitted('memoryPolicy', {})).toEqual([]);
  });
  test.each<[MemoryPolicy, string]>([
    [{ mode: 'MPOL_BIND', nodes: '0-3,7' }, 'MPOL_BIND, [0 1 2 3 7], 65'],
    [{ mode: 'MPOL_BIND', nodes: [7, 0, 7] }, 'MPOL_BIND, [0 7], 65'],
    [{ mode: 'MPOL_INTERLEAVE', nodes: ' 63 , 64' }, 'MPOL_INTERLEAVE, [63 64], 129'],
    [{ mode: 'MPOL_DEFAULT' }, 'MPOL_DEFAULT, NULL, 0'],
    [{ mode: 'MPOL_LOCAL', nodes: '' }, 'MPOL_LOCAL, NULL, 0'],
    [{ mode: 'MPOL_PREFERRED' }, 'MPOL_PREFERRED, NULL, 0'],
    [{ mode: 'MPOL_PREFERRED_MANY', nodes: '1' }, 'MPOL_PREFERRED_MANY, [1], 65'],
    [
      { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_NUMA_BALANCING', 'MPOL_F_STATIC_NODES'] },
      'MPOL_BIND|MPOL_F_NUMA_BALANCING|MPOL_F_STATIC_NODES, [0], 65',
    ],
    [
      { mode: 'MPOL_WEIGHTED_INTERLEAVE', nodes: '0', flags: ['MPOL_F_RELATIVE_NODES'] },
      'MPOL_WEIGHTED_INTERLEAVE|MPOL_F_RELATIVE_NODES, [0], 65',
    ],
  ])('one call for %j', (memoryPolicy, args) => {
    expect(emitted('memoryPolicy', { memoryPolicy })).toEqual([`memoryPolicy: set_mempolicy(${args})`]);
  });
});

const maps = '/proc/self/numa_maps';
const numa = needing(existsSync(maps), 'a kernel with NUMA');
const node = existsSync(maps) ? readFileSync('/sys/devices/system/node/has_memory', 'utf8').split(/[-,\n]/)[0]! : '0';
const last = existsSync('/sys/kernel/mm/mempolicy');

describe('memoryPolicy, seen from inside', () => {
  /** What numa_maps says of memory that the program has touched by itself. */
  const seen = async (memoryPolicy: MemoryPolicy | undefined, options: CloneOptions = {}): Promise<string> => {
    const text = await inside(`exec cat ${maps}`, { ...options, memoryPolicy });
    return /^[0-9a-f]+ (.+) stack /m.exec(text)![1]!;
  };
  const places: readonly (readonly [string, CloneOptions])[] = [
    ['', {}],
    [' in namespaces of its own', owned(Flags.NEWPID)],
    [' beside a pid 1', { ...owned(Flags.NEWPID), init: true }],
  ];
  for (const [name, options] of places) {
    numa(`each mode${name}`, async () => {
      const own = await seen(undefined);
      expect(await seen({ mode: 'MPOL_BIND', nodes: node }, options)).toBe(`bind:${node}`);
      expect(await seen({ mode: 'MPOL_INTERLEAVE', nodes: [Number(node)] }, options)).toBe(`interleave:${node}`);
      expect(await seen({ mode: 'MPOL_PREFERRED', nodes: node }, options)).toBe(`prefer:${node}`);
      expect(await seen({ mode: 'MPOL_PREFERRED_MANY', nodes: node }, options)).toBe(`prefer (many):${node}`);
      expect(await seen({ mode: 'MPOL_LOCAL' }, options)).toBe('local');
      expect(await seen({ mode: 'MPOL_DEFAULT' }, options)).toBe('default');
      expect(await seen(undefined)).toBe(own);
    });
  }
  numa('flags', async () => {
    const bound = (flag: 'STATIC_NODES' | 'RELATIVE_NODES'): Promise<string> =>
      seen({ mode: 'MPOL_BIND', nodes: node, flags: [`MPOL_F_${flag}`] });
    expect(await bound('STATIC_NODES')).toBe(`bind=static:${node}`);
    expect(await bound('RELATIVE_NODES')).toBe(`bind=relative:${node}`);
  });
  needing(last, 'Linux 6.9 with NUMA')('pages by weight', async () => {
    expect(await seen({ mode: 'MPOL_WEIGHTED_INTERLEAVE', nodes: node })).toBe(`weighted interleave:${node}`);
  });
  numa('a node that is not there', async () => {
    await expect(inside('true', { memoryPolicy: { mode: 'MPOL_BIND', nodes: '63' } })).rejects.toMatchObject({
      code: 'EINVAL',
      option: 'memoryPolicy',
      hint: expect.stringContaining('none of these nodes has memory here') as string,
    });
  });
});

describe('memoryPolicy, when the kernel refuses', () => {
  const refused = (code: string, mode: 'MPOL_BIND' | 'MPOL_WEIGHTED_INTERLEAVE' = 'MPOL_BIND') =>
    failAt({ memoryPolicy: { mode, nodes: '0' } }, calls('set_mempolicy'), code);
  const folder = { mode: 0o40755, uid: 0, gid: 0 };
  const nodes = { '/sys/devices/system/node': folder, '/sys/devices/system': folder };

  test('names the call, and a kernel without nodes', async () => {
    const hint = 'this kernel knows no nodes: it is built without CONFIG_NUMA';
    const without = { modes: { '/sys/devices/system': folder }, files: hosts.filtered };
    expect(fieldsOf(await onHost(without, () => refused('ENOSYS')))).toEqual({
      code: 'ENOSYS',
      errno: -38,
      step: 'memoryPolicy',
      option: 'memoryPolicy',
      syscall: 'set_mempolicy',
      hint,
      message: `ENOSYS: function not implemented, set_mempolicy (memoryPolicy): ${hint}`,
    });
  });
  test('a filter of a container', async () => {
    const filtered = { modes: nodes, files: { ...hosts.filtered, '/sys/devices/system/node/online': '0' } };
    for (const code of ['ENOSYS', 'EPERM'])
      expect((await onHost(filtered, () => refused(code))).hint).toContain('its profile must allow set_mempolicy');
  });
  test('an older kernel, or nodes without memory', async () => {
    const files = { '/sys/devices/system/node/has_memory': '1-2' };
    expect((await onHost({ files }, () => refused('EINVAL', 'MPOL_WEIGHTED_INTERLEAVE'))).hint).toContain('Linux 6.9');
    expect((await onHost({ files }, () => refused('EINVAL'))).hint).toContain('has_memory is 1-2');
    const fitting = { '/sys/devices/system/node/has_memory': '0' };
    expect((await onHost({ files: fitting }, () => refused('EINVAL'))).hint).toBeUndefined();
  });
});

// Step `memoryPolicy`: on which nodes memory is taken, see set_mempolicy(2).
import type { MemoryPolicy, MemoryPolicyFlag, MemoryPolicyMode } from '../../types/limits';
import { array, integer, oneOf, plainObject, string } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { host } from '../host/host';
import { stepConstants } from '../kernel/step-constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const modes: readonly MemoryPolicyMode[] = [
  'MPOL_DEFAULT',
  'MPOL_PREFERRED',
  'MPOL_BIND',
  'MPOL_INTERLEAVE',
  'MPOL_LOCAL',
  'MPOL_PREFERRED_MANY',
  'MPOL_WEIGHTED_INTERLEAVE',
];
const flagNames: readonly MemoryPolicyFlag[] = [
  'MPOL_F_NUMA_BALANCING',
  'MPOL_F_RELATIVE_NODES',
  'MPOL_F_STATIC_NODES',
];
const numbers = stepConstants();

/** CONFIG_NODES_SHIFT is at most 10. */
const mostNodes = 1024;
const option = 'memoryPolicy';

/** '0-3,7', the list format of cpuset(7). */
function readNodes(text: string): number[] {
  const name = `${option}.nodes`;
  if (text.trim() === '') return [];
  return text.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    if (first === undefined) throw invalidArgValue(name, text, "must be numbers and ranges, such as '0-3,7'");
    const [from, to] = [first, last].map((number) => integer(Number(number), name, 0, mostNodes - 1)) as [
      number,
      number,
    ];
    if (from > to) throw invalidArgValue(name, text, `must have ranges that go up, and ${part.trim()} does not`);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

function checkNodes(value: unknown): number[] {
  const name = `${option}.nodes`;
  if (value === undefined) return [];
  if (typeof value === 'string') return readNodes(string(value, name));
  if (!Array.isArray(value)) throw invalidArgType(name, 'of type string or an instance of Array', value);
  return value.map((node, index) => integer(node, `${name}[${index}]`, 0, mostNodes - 1));
}

/** What the kernel answers with EINVAL, or passes by. */
function refuseContradictions(mode: MemoryPolicyMode, count: number, flags: readonly MemoryPolicyFlag[]): void {
  const nodeless = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL';
  if (nodeless && count > 0) throw refusedOption(`${option}.nodes`, `must be empty: '${mode}' has no nodes`);
  if (!nodeless && mode !== 'MPOL_PREFERRED' && count === 0)
    throw refusedOption(`${option}.nodes`, `must name at least one node: '${mode}' needs it`);
  const name = `${option}.flags`;
  if (flags.includes('MPOL_F_NUMA_BALANCING') && mode !== 'MPOL_BIND' && mode !== 'MPOL_PREFERRED_MANY')
    throw refusedOption(name, "cannot have MPOL_F_NUMA_BALANCING but with 'MPOL_BIND' and 'MPOL_PREFERRED_MANY'");
  const ofNodes = flags.filter((flag) => flag !== 'MPOL_F_NUMA_BALANCING');
  if (ofNodes.length > 0 && count === 0) throw refusedOption(name, `cannot have ${ofNodes[0]} without nodes`);
  if (new Set(ofNodes).size > 1)
    throw refusedOption(name, 'cannot have both of MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES');
}

/** The numbers of a list of /sys; undefined where it cannot be read. */
function nodesIn(file: string): readonly number[] | undefined {
  const text = host.read(`/sys/devices/system/node/${file}`);
  return text === undefined ? undefined : readNodes(text);
}

export const memoryPolicy: Step = {
  name: option,
  options: [option],
  onlyWhenGiven: true,
  after: {
    process: 'the nodes are counted within the cpuset of the cgroup that the program is born into',
    init: 'it is for the program alone',
  },

  check(given, request) {
    const fields = plainObject<keyof MemoryPolicy>(given.memoryPolicy, option, ['mode', 'nodes', 'flags']);
    const mode = oneOf(fields.mode, `${option}.mode`, modes);
    const nodes = checkNodes(fields.nodes);
    const flags = array(fields.flags ?? [], `${option}.flags`).map((name, index) =>
      oneOf(name, `${option}.flags[${index}]`, flagNames),
    );
    refuseContradictions(mode, nodes.length, flags);
    request.memoryPolicy = { mode: flags.reduce((all, name) => all | numbers[name], numbers[mode] as number), nodes };
  },

  emit(writer, { memoryPolicy: given }) {
    if (given === undefined) return;
    const { mode, nodes } = given;
    writer.about(this.name, option);
    if (nodes.length === 0) {
      writer.add(call.set_mempolicyAlone, mode);
      return;
    }
    const size = (Math.max(...nodes) >> 6) * 8 + 8;
    const mask = writer.reserve(size);
    for (const node of nodes) writer.data[mask + (node >> 3)]! |= 1 << (node & 7);
    // The kernel takes one bit less than it is told of, see get_nodes() in mm/mempolicy.c.
    writer.add(call.set_mempolicy, mode, mask, size * 8 + 1);
  },

  hint(code, _label, request) {
    const { mode, nodes } = request.memoryPolicy!;
    if (code === 'ENOSYS') {
      return host.stat('/sys/devices/system') !== undefined && nodesIn('online') === undefined
        ? 'this kernel knows no nodes: it is built without CONFIG_NUMA'
        : undefined;
    }
    if (code !== 'EINVAL') return undefined;
    const isWeighted = (mode & 0xfff) === numbers.MPOL_WEIGHTED_INTERLEAVE;
    if (isWeighted && host.stat('/sys/kernel/mm/mempolicy') === undefined)
      return "this kernel has no 'MPOL_WEIGHTED_INTERLEAVE', which came with Linux 6.9";
    const having = nodesIn('has_memory');
    return having === undefined || nodes.length === 0 || nodes.some((node) => having.includes(node))
      ? undefined
      : `none of these nodes has memory here: /sys/devices/system/node/has_memory is ${host.read('/sys/devices/system/node/has_memory')}`;
  },
};

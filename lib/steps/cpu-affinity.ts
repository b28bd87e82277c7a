// Step `cpuAffinity`: the processors that the child may run on, see sched_setaffinity(2).
import { array, integer } from '../check';
import { invalidArgValue } from '../errors/argument-error';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

/** CONFIG_NR_CPUS is at most this. */
const mostProcessors = 8192;

export const cpuAffinity: Step = {
  name: 'cpuAffinity',
  options: ['cpuAffinity'],
  onlyWhenGiven: true,
  after: {},

  check(given, request) {
    const processors = array(given.cpuAffinity, 'cpuAffinity').map((value, index) =>
      integer(value, `cpuAffinity[${index}]`, 0, mostProcessors - 1),
    );
    if (processors.length === 0) throw invalidArgValue('cpuAffinity', processors, 'must name at least one processor');
    request.cpuAffinity = processors;
  },

  emit(writer, { cpuAffinity: processors }) {
    if (processors === undefined) return;
    const size = (Math.max(...processors) >> 6) * 8 + 8;
    const mask = writer.reserve(size);
    for (const processor of processors) writer.data[mask + (processor >> 3)]! |= 1 << (processor & 7);
    writer.about(this.name, 'cpuAffinity').add(call.sched_setaffinity, 0, size, mask);
  },

  hint: (code) => (code === 'EINVAL' ? 'none of these processors is there, or in the cpuset of our cgroup' : undefined),
};

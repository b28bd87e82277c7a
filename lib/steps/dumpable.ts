// Step `dumpable`: from here on nobody looks into a process of ours, see closed-to-others.ts.
import { closeToOthers } from './closed-to-others';
import type { Step } from '../assembly/step';

export const dumpable: Step = {
  name: 'dumpable',
  options: [],
  after: {
    user: 'a process that cannot be dumped may not write its own id maps',
    time: 'nor its own time offsets',
  },

  emit(writer, request) {
    // With joins it holds already.
    if (request.joins.length === 0) closeToOthers(writer, request);
  },
};

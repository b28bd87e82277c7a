// Step `oomScoreAdj`: how soon the child is chosen when memory is short; see /proc/PID/oom_score_adj in proc(5).
import { integer } from '../check';
import { holdsEverywhere } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { writeProcFile } from './proc-file';
import type { Step } from '../assembly/step';

const file = 'self/oom_score_adj';

export const oomScoreAdj: Step = {
  name: 'oomScoreAdj',
  options: ['oomScoreAdj'],
  onlyWhenGiven: true,
  after: {},

  check(given, request) {
    request.oomScoreAdj = integer(given.oomScoreAdj, 'oomScoreAdj', -1000, 1000);
  },

  emit(writer, { oomScoreAdj: value }) {
    if (value === undefined) return;
    writer.about(this.name, 'oomScoreAdj').subject(`/proc/${file}`);
    writeProcFile(writer, file, String(value));
  },

  hint: (code) =>
    code === 'EACCES' && !holdsEverywhere(constants.CAP_SYS_RESOURCE)
      ? 'a lower value than ours needs CAP_SYS_RESOURCE outside of any user namespace'
      : undefined,
};

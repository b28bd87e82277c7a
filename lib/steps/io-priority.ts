// Step `ioPriority`: which requests to a disk come first, see ioprio_set(2).
import type { IoPriority, IoPriorityClass } from '../../types/limits';
import { integer, oneOf, plainObject } from '../check';
import { host } from '../host/host';
import { holdsEverywhere } from '../host/ourselves';
import { constants } from '../kernel/constants';
import { stepConstants } from '../kernel/step-constants';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

const classes: readonly IoPriorityClass[] = ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'];
const numbers = stepConstants();

/** IOPRIO_CLASS_SHIFT and IOPRIO_NR_LEVELS of linux/ioprio.h. */
const classShift = 13;
const levels = 8;
/** IOPRIO_BE_NORM, which ionice(1) takes too. */
const usual = 4;

export const ioPriority: Step = {
  name: 'ioPriority',
  options: ['ioPriority'],
  onlyWhenGiven: true,
  after: {},

  check(given, request) {
    const { class: name, priority = usual } = plainObject<keyof IoPriority>(given.ioPriority, 'ioPriority', [
      'class',
      'priority',
    ]);
    const number = numbers[oneOf(name, 'ioPriority.class', classes)];
    request.ioPriority = (number << classShift) | integer(priority, 'ioPriority.priority', 0, levels - 1);
  },

  emit(writer, { ioPriority: value }) {
    if (value === undefined) return;
    writer.about(this.name, 'ioPriority').add(call.ioprio_set, numbers.IOPRIO_WHO_PROCESS, 0, value);
  },

  hint(code, _label, request) {
    if (code === 'ENOSYS' && host.stat('/sys/devices') !== undefined && host.stat('/sys/block') === undefined)
      return 'this kernel knows no I/O priorities: it is built without CONFIG_BLOCK';
    const isRealTime = request.ioPriority! >> classShift === numbers.IOPRIO_CLASS_RT;
    const may = [constants.CAP_SYS_NICE, constants.CAP_SYS_ADMIN].some(holdsEverywhere);
    return code === 'EPERM' && isRealTime && !may
      ? "'IOPRIO_CLASS_RT' needs CAP_SYS_NICE or CAP_SYS_ADMIN, outside of any user namespace"
      : undefined;
  },
};

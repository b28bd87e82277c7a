// Step `personality`: the execution domain, see personality(2).
import { integer } from '../check';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

export const personality: Step = {
  name: 'personality',
  options: ['personality'],
  onlyWhenGiven: true,
  after: {},

  check(given, request) {
    request.personality = integer(given.personality, 'personality', 0, 0xffff_fffe);
  },

  emit(writer, { personality: value }) {
    if (value === undefined) return;
    writer.about(this.name, 'personality').add(call.personality, value);
  },
};

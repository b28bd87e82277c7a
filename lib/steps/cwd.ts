// Step `cwd`: the working directory, entered last, as the final user in the final root.
import { path } from '../check';
import * as call from '../assembly/calls';
import type { Step } from '../assembly/step';

export const cwd: Step = {
  name: 'cwd',
  options: ['cwd'],
  onlyWhenGiven: true,
  after: { mounts: 'it is a directory of what is mounted', stdio: 'a step before it may still name paths of ours' },

  check(given, request) {
    request.cwd = path(given.cwd, 'cwd');
  },

  emit(writer, request) {
    if (request.cwd === undefined) return;
    writer.about(this.name, 'cwd').subject(request.cwd);
    writer.add(call.chdir, writer.addText(request.cwd));
  },
};

// Step `cwd`: the working directory, entered last, as the final user in the final root.
import { path } from '../check';
import * as call from '../assembly/calls';
import { checkFolders, enterFirst } from './first-folder';
import type { Step } from '../assembly/step';

export const cwd: Step = {
  name: 'cwd',
  options: ['cwd'],
  onlyWhenGiven: true,
  after: { mounts: 'it is a directory of what is mounted', stdio: 'a step before it may still name paths of ours' },

  check(given, request) {
    if (Array.isArray(given.cwd)) request.cwds = checkFolders(given.cwd);
    else request.cwd = path(given.cwd, 'cwd');
  },

  emit(writer, request) {
    if (request.cwds.length > 0) request.folderVariable = enterFirst(writer, request.cwds);
    if (request.cwd === undefined) return;
    writer.about(this.name, 'cwd').subject(request.cwd);
    writer.add(call.chdir, writer.addText(request.cwd));
  },

  hint(code, _label, { cwds, changesRoot, mounts }, syscall) {
    if (syscall !== 'chdir') return undefined;
    if (cwds.length > 1) return `none of these can be entered: ${cwds.join(', ')}`;
    return code === 'ENOENT' && (changesRoot || mounts.length > 0)
      ? 'the folder has to be in what the child sees, below its root and on its mounts'
      : undefined;
  },
};

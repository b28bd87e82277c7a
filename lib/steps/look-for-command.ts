// Whether the command is there: of a child that is held, its starter hears that before anything is done to it.
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';

const { AT_FDCWD } = constants;
/** X_OK of unistd.h. */
const executable = 1;
/** A candidate that is not there, as execvp(3) sees it. */
const elsewhere = ['ENOENT', 'ENOTDIR', 'ESTALE', 'ENODEV', 'ETIMEDOUT'];

/**
 * Looks along PATH as the exec will, and fails where nothing is found. What is there and may not be executed is for the exec to say:
 * of that there are more reasons than access(2) knows.
 * @param isInFolder whether it is where the program will be; pid 1 does not go there
 */
export function lookForCommand(writer: Writer, request: Request, isInFolder = !request.init): void {
  const { command, files, cwd, cwds } = request;
  const goesElsewhere = cwd !== undefined || cwds.length > 0;
  if (!isInFolder && goesElsewhere && files.some((file) => !file.startsWith('/'))) return;
  writer.about('command').subject(command);
  files.forEach((file, index) => {
    writer.add(call.faccessat, AT_FDCWD, writer.addText(file), executable);
    const isLast = index === files.length - 1;
    for (const errno of elsewhere) if (!isLast) writer.skip(errno, 1);
    // Found, or found and forbidden: over all the others, each of which is a look and a jump.
    writer.accept('EACCES');
    if (!isLast) writer.jump((files.length - 1 - index) * 2 - 1);
  });
}

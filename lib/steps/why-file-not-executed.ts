// What a person can do where the file of a descriptor is not executed. Which it is, our own descriptor tells, as long as it is open.
import { host } from '../host/host';
import type { Request } from '../assembly/request';

const typeMask = 0o170000;
const folderType = 0o040000;

export function whyFileNotExecuted(code: string, { commandFd, landlock }: Request): string | undefined {
  const path = `/proc/self/fd/${commandFd}`;
  switch (code) {
    case 'ENOENT':
      return host.begins(path, '#!')
        ? `descriptor ${commandFd} is a script, which its interpreter would have to open once more, and the exec closes it: execute the interpreter, with the script as its input or by a path`
        : 'the interpreter that the file names is missing';
    case 'ENOEXEC':
      return `descriptor ${commandFd} is no program that the kernel knows, and no shell is tried with a descriptor`;
    case 'ETXTBSY':
      return `the file of descriptor ${commandFd} is open for writing: execute one that nobody can write to`;
    case 'EACCES': {
      const status = host.stat(path);
      if (status !== undefined && (status.mode & typeMask) === folderType) return `descriptor ${commandFd} is a folder`;
      if (status !== undefined && (status.mode & 0o111) === 0) return `descriptor ${commandFd} is not executable`;
      return landlock?.rules === undefined
        ? undefined
        : 'the rules of the option landlock must allow to execute it, and what it names as its interpreter';
    }
    default:
      return undefined;
  }
}

// Step `cgroup`: the folders of the cgroups that the program is in: one of version 2 from its birth, those of version 1 before.
import { fileDescriptor, path } from '../check';
import { invalidArgType, invalidArgValue, refusedOption } from '../errors/argument-error';
import { cgroupVersion, type Entry, openCgroup } from '../cgroup-folder';
import { whyNotSupported } from '../host/control-groups';
import { constants } from '../kernel/constants';
import * as call from '../assembly/calls';
import { changeable } from '../assembly/fact';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import type { Label } from '../program/writer';
import { whyNoProcess } from './why-no-process';
import { cgroupWord, lowestFree } from '../assembly/words';

const { AT_FDCWD, F_DUPFD_CLOEXEC, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } = constants;

function checkFolder(value: unknown, option: string): string | number {
  if (typeof value === 'number') return fileDescriptor(value, option);
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return path(value, option);
  throw invalidArgType(option, 'of type string or number, or an instance of URL', value);
}

/** One of a list, or of version 1: how it is entered is a matter of its version, so it must be there by now. */
function entryOf(source: string | number, option: string): Entry {
  const opened = openCgroup(source, option);
  try {
    return { option, source, ...cgroupVersion(opened.descriptor, source, option) };
  } finally {
    opened.close();
  }
}

/** What it is, where that can be seen: what cannot is told by the child. */
function versionOf(source: string | number): 1 | 2 | undefined {
  try {
    return entryOf(source, 'cgroup').version;
  } catch {
    return undefined;
  }
}

function refuseTwice(entries: readonly Entry[]): void {
  entries.forEach((entry, index) => {
    const other = entries.slice(0, index).find(({ hierarchy }) => hierarchy === entry.hierarchy);
    if (other === undefined) return;
    const where = entry.version === 2 ? 'the hierarchy of version 2' : 'one hierarchy';
    throw refusedOption(
      entry.option,
      `is of the same hierarchy as ${other.option}: in ${where} a process is in one cgroup`,
    );
  });
}

/** Opened before the view changes. The stub's copy of a descriptor of ours has its number, until stdio takes that. */
export const cgroupFolder: Step = {
  name: 'cgroup',
  options: ['cgroup'],
  onlyWhenGiven: true,
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  check({ cgroup }, request) {
    if (!Array.isArray(cgroup)) {
      const source = checkFolder(cgroup, 'cgroup');
      if (versionOf(source) === 1) request.cgroups = [entryOf(source, 'cgroup')];
      else request.cgroup = source;
      if (request.cgroups.length > 0) request.facts.push(changeable);
      return;
    }
    if (cgroup.length === 0) throw invalidArgValue('cgroup', cgroup, 'must not be empty');
    const sources = Array.from(cgroup as unknown[], (folder, index) => checkFolder(folder, `cgroup[${index}]`));
    request.cgroups = sources.map((source, index) => entryOf(source, `cgroup[${index}]`));
    refuseTwice(request.cgroups);
    request.cgroup = request.cgroups.find(({ version }) => version === 2)?.source;
    request.facts.push(changeable);
  },

  settle(request) {
    // Whose processes are to be ended is not looked up twice.
    if (request.treeWay !== 'cgroup' || request.cgroups.length > 0 || request.cgroup === undefined) return;
    request.cgroups = [entryOf(request.cgroup, 'cgroup')];
    request.facts.push(changeable);
  },

  emit(writer, request) {
    request.cgroups.forEach((entry, index) => {
      const { option, source, version } = entry;
      writer.about(this.name, option).subject(typeof source === 'string' ? source : undefined);
      const word = cgroupWord(request, index);
      if (version === 2) {
        writer.add(call.fcntlAt, word, F_DUPFD_CLOEXEC, lowestFree(request));
        request.cgroupSlot = writer.keep();
        return;
      }
      // This process itself, and with it all that it makes.
      writer.add(call.openatAt, word, writer.addText('cgroup.procs'), O_WRONLY | O_CLOEXEC);
      const procs = writer.keep();
      writer.add(call.write, procs, writer.addText('0'), 1).minimum(1);
      writer.add(call.close, procs);
    });
    const { cgroup } = request;
    if (cgroup === undefined || request.cgroups.length > 0) return;
    writer.about(this.name, 'cgroup').subject(typeof cgroup === 'string' ? cgroup : undefined);
    if (typeof cgroup === 'number') {
      writer.keepOpen(cgroup);
      writer.add(call.fcntl, cgroup, F_DUPFD_CLOEXEC, lowestFree(request));
    } else {
      writer.add(call.openat, AT_FDCWD, writer.addText(cgroup), O_PATH | O_DIRECTORY | O_CLOEXEC);
      // Where Node's own stdio is closed, it may have got one of those numbers.
      const opened = writer.keep();
      writer.add(call.fcntlOf, opened, F_DUPFD_CLOEXEC, lowestFree(request));
      request.cgroupSlot = writer.keep();
      writer.add(call.close, opened);
      return;
    }
    request.cgroupSlot = writer.keep();
  },

  hint(code, label, request) {
    if (isOld(label, request)) return whyNotEntered(code);
    if (code === 'EBADF' || code === 'ENOTDIR') return 'it must be a folder of a cgroup hierarchy';
    // The second one of older kernels, for a folder that was removed while it was open.
    if (code === 'ENOENT' || code === 'ENODEV')
      return 'there is no such cgroup: make the folder first, in the hierarchy that is to hold the process';
    if (code === 'EACCES') return 'we may not write its cgroup.procs, or that of the common ancestor';
    if (code === 'EOPNOTSUPP' || code === 'ENOTSUP') return whyNotSupported(request.cgroup);
    if (code === 'EBUSY') return 'it has controllers enabled for its children, so no process may be in it itself';
    return whyNoProcess(code, request);
  },
};

function isOld({ option }: Label, request: Request): boolean {
  return request.cgroups.some((entry) => entry.option === option && entry.version === 1);
}

/** Of a folder of version 1. */
function whyNotEntered(code: string): string | undefined {
  if (code === 'EACCES' || code === 'EPERM') return 'we may not write its cgroup.procs';
  if (code === 'ENOSPC') return 'its cpuset.cpus or its cpuset.mems is empty';
  if (code === 'ENOENT' || code === 'ENODEV') return 'it was removed while it was open';
  return undefined;
}

// Steps that take what is open and is to be mounted, before the view changes.
import * as call from '../assembly/calls';
import { holdFile } from '../assembly/held-file';
import type { Request } from '../assembly/request';
import { type HeldMount, idmapping } from '../assembly/settings';
import type { Step } from '../assembly/step';
import { joinWord, lowestFree } from '../assembly/words';
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';

const { F_DUPFD_CLOEXEC } = constants;

function hold(writer: Writer, request: Request, mounts: readonly HeldMount[]): void {
  for (const { held, option, index } of mounts) {
    writer.about(option, option, index).subject(held.name, undefined, 'mount');
    request.held.set(held, holdFile(writer, request, held));
  }
}

/** The user namespaces whose ids mounts get. */
function holdNamespaces(writer: Writer, request: Request): void {
  let index = request.joins.length;
  for (const mount of request.mappedMounts) {
    const { idmap, option, parts, target } = mount;
    if (!('namespace' in idmap)) continue;
    writer.about(option, option, mount.index).subject(parts.source, target, idmapping);
    writer.add(call.fcntlAt, joinWord(request, index++), F_DUPFD_CLOEXEC, lowestFree(request));
    request.idmapSlots.set(idmap, writer.keep());
  }
}

/** Descriptors of ours, before stdio can take their numbers. */
export const mountSources: Step = {
  name: 'mount sources',
  options: [],
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  emit(writer, request) {
    holdNamespaces(writer, request);
    hold(
      writer,
      request,
      request.heldMounts.filter(({ held }) => held.descriptor !== 'terminal'),
    );
  },
};

/** The child's end of its terminal. */
export const mountedTerminal: Step = {
  name: 'mounted terminal',
  options: [],
  onlyWhenGiven: 'pty',
  after: { stdio: 'it is descriptor 0', 'sent terminal': 'it is descriptor 0' },

  emit(writer, request) {
    hold(
      writer,
      request,
      request.heldMounts.filter(({ held }) => held.descriptor === 'terminal'),
    );
  },
};

// Steps that take what is open and is to be mounted, before the view changes.
import { holdFile } from '../assembly/held-file';
import type { HeldMount, Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import type { Writer } from '../program/writer';

function hold(writer: Writer, request: Request, mounts: readonly HeldMount[]): void {
  for (const { held, option, index } of mounts) {
    writer.about(option, option, index).subject(held.name, undefined, 'mount');
    request.held.set(held, holdFile(writer, request, held));
  }
}

/** Descriptors of ours, before stdio can take their numbers. */
export const mountSources: Step = {
  name: 'mount sources',
  options: [],
  after: { 'stdio sources': 'room for the numbers of our ends is made there' },

  emit(writer, request) {
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
  after: { stdio: 'it is descriptor 0' },

  emit(writer, request) {
    hold(
      writer,
      request,
      request.heldMounts.filter(({ held }) => held.descriptor === 'terminal'),
    );
  },
};

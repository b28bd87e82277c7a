// What a change of credentials undoes in a process of ours: right after each it is done once more.
import { constants } from '../kernel/constants';
import type { Writer } from '../program/writer';
import * as call from '../assembly/calls';
import type { Request } from '../assembly/request';
import { stayClosed } from './closed-to-others';

const { PR_SET_PDEATHSIG } = constants;
const SIGKILL = 9;

/** The parent-death signal is gone, and who may look in is what fs.suid_dumpable says: everybody where that is 1, see proc(5). */
export function afterNewCredentials(writer: Writer, request: Request): void {
  writer.add(call.prctl, PR_SET_PDEATHSIG, SIGKILL);
  stayClosed(writer, request);
}

// How a child ended, from what the addon has put into the mailbox.
import type { ExitStatus } from '../../types/child';
import { signalName } from '../kernel/signals';
import { Mail } from '../native-interface';
import { mailbox } from '../watch';

const usageNames = [
  'userCPUTime',
  'systemCPUTime',
  'maxRSS',
  'sharedMemorySize',
  'unsharedDataSize',
  'unsharedStackSize',
  'minorPageFault',
  'majorPageFault',
  'swappedOut',
  'fsRead',
  'fsWrite',
  'ipcSent',
  'ipcReceived',
  'signalsCount',
  'voluntaryContextSwitches',
  'involuntaryContextSwitches',
] as const;

/** Reads the mailbox. `ownMemory`: whether the peak memory use is the child's own and not that of Node. */
export function readExitStatus(ownMemory: boolean): ExitStatus {
  const code = mailbox[Mail.Code]!;
  const signal = mailbox[Mail.Signal]!;
  return {
    code: signal === 0 && code >= 0 ? code : null,
    signal: signal === 0 ? null : (signalName(signal) as ExitStatus['signal']),
    coreDumped: mailbox[Mail.CoreDumped] === 1,
    resourceUsage: mailbox[Mail.UsageKnown] === 1 ? readUsage(ownMemory) : undefined,
  };
}

function readUsage(ownMemory: boolean): Partial<NodeJS.ResourceUsage> {
  const usage: Partial<NodeJS.ResourceUsage> = {};
  usageNames.forEach((name, index) => {
    if (name !== 'maxRSS' || ownMemory) usage[name] = mailbox[Mail.Usage + index]!;
  });
  return usage;
}

// The order of all steps. test/steps/order.test.ts checks it against what each step says it must come after.
import { closeFds } from './close-fds';
import { command } from './command';
import { cwd } from './cwd';
import { flags } from './flags';
import { hostname } from './hostname';
import { loopback } from './loopback';
import { mounts } from './mounts';
import { namespaces } from './namespaces';
import { process } from './process';
import { propagation } from './propagation';
import { stdio, stdioSources } from './stdio';
import type { Step } from './step';
import { time } from './time';
import { user } from './user';

export const order: readonly Step[] = [
  flags,
  stdioSources,
  user,
  time,
  process,
  namespaces,
  hostname,
  loopback,
  propagation,
  mounts,
  stdio,
  closeFds,
  cwd,
  command,
];

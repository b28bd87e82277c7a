// The checked options of one clone: what the steps write their instructions from. Nothing in it is the caller's own object.
import type { Mount } from '../../types/mounts';
import type { Propagation } from '../../types/options';

/** A source of one of the child's descriptors. */
export type StdioSource =
  | { readonly kind: 'pipe'; readonly socket: boolean }
  | { readonly kind: 'descriptor'; readonly descriptor: number }
  | { readonly kind: 'null' }
  | { readonly kind: 'closed' };

export type MapForm = 'root' | 'keep';

export class Request {
  command = '';
  args: readonly string[] = [];
  argv0: string | undefined;
  flags = 0;
  uidMap: MapForm | undefined;
  gidMap: MapForm | undefined;
  setgroups: 'allow' | 'deny' | undefined;
  /** The gid map is written by us, with privilege, while the stub waits: setgroups(2) stays possible. */
  gidMapByParent = false;
  hostname: string | undefined;
  loopback = false;
  propagation: Propagation | undefined;
  mounts: readonly Mount[] = [];
  cwd: string | undefined;
  /** `NAME=value`; undefined: our own environment, as it is when the program is written. */
  env: readonly string[] | undefined;
  /** The files to execute, until one is found. */
  files: readonly string[] = [];
  stdio: readonly StdioSource[] = defaultStdio;
  closeFds = true;

  /** Whether one of these namespaces is new in this child. */
  creates(flags: number): boolean {
    return (this.flags & flags) !== 0;
  }
}

const pipe: StdioSource = { kind: 'pipe', socket: false };
/** 'pipe' for 0 to 2. */
export const defaultStdio: readonly StdioSource[] = [pipe, pipe, pipe];

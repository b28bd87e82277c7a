// Where one of the child's descriptors comes from.

/** A source of one of the child's descriptors. */
export type StdioSource =
  | { readonly kind: 'pipe'; readonly socket: boolean }
  | { readonly kind: 'descriptor'; readonly descriptor: number; readonly stream?: object }
  | { readonly kind: 'pty' }
  | { readonly kind: 'null' }
  | { readonly kind: 'closed' };

/** What stands in `stdio` for the channel of fork(): no value that a caller could give. */
export const channelEntry = Symbol('ipc');

/** The source of that entry. */
export const channelSource: StdioSource = { kind: 'pipe', socket: true };

const pipe: StdioSource = { kind: 'pipe', socket: false };
/** 'pipe' for 0 to 2. */
export const defaultStdio: readonly StdioSource[] = [pipe, pipe, pipe];

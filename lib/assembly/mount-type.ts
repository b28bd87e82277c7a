// What a type of mount is: the check of its fields, and its instructions.
import type { Hint } from '../errors/hint';
import type { HeldSource } from './held-file';
import type { MappedSource } from './idmap';
import type { Slot } from '../program/writer';
import type { Request } from './request';
import type { Place } from './place';

/** The fields of an entry, copied. */
export type Given = Readonly<Record<string, unknown>>;

/** What an entry comes to once it is checked. */
export interface Checked {
  readonly type: string;
  readonly target: string;
  /** Whether something is mounted that has attributes. */
  readonly isMount: boolean;
  /** Whether nothing of it may be executed. */
  readonly isNoexec: boolean;
  /** Where it is from, as errors name it before the target; nothing of what is made or changed there. */
  readonly source?: string;
  /** What is made of the target, as errors name it: '600' of a chmod. */
  readonly detail?: string;
  readonly optional: boolean;
  /**
   * Of a mount: makes it, and tells where it is kept.
   * @param prepared what {@link prepare} has opened
   */
  readonly make?: (place: Place, request: Request, prepared: readonly Slot[]) => Slot;
  /** Whether {@link make} looks paths of our own view up: no new root may lie upon ours by then. */
  readonly looksUp?: boolean;
  /** A path that may be looked up later, too, if there is no link in it. */
  readonly plain?: {
    readonly path: string;
    /** What {@link prepare} would have opened; ELOOP where there is a link. */
    open(place: Place): Slot;
  };
  /** Opens what it needs of our own view, before any entry covers it. */
  readonly prepare?: (place: Place, request: Request) => readonly Slot[];
  /**
   * All that is to be done, where it is no mount with a target.
   * @param prepared what {@link prepare} has opened
   */
  readonly emit?: (place: Place, target: string, request: Request, prepared: readonly Slot[]) => void;
  /** Whether a target that is missing is made. */
  readonly creates: boolean;
  /** The same of a type that does nothing else. */
  readonly makes?: boolean;
  /** How it is shared once it is in its place, where that was said. */
  readonly propagation?: { readonly propagation: number; readonly propagatesBelow: boolean } | undefined;
  /** Makes a target that is missing, for this mount. */
  readonly create?: (place: Place, target: string, mount: Slot) => void;
  /** The target must be a directory, and no link to one. */
  readonly noLink?: boolean;
  /**
   * Looks at the whole request, once all of it is checked.
   * @param option 'mounts[0]'
   */
  readonly settle?: (request: Request, option: string, target: string) => void;
  /** What is open and is mounted. */
  readonly held?: HeldSource;
  /** Its files have other ids than on their file system. */
  readonly mapped?: MappedSource;
  /** @param syscall undefined where it is no system call */
  readonly hint?: ((code: string, request: Request, syscall: string | undefined) => Hint | undefined) | undefined;
}

/** Its parts, but for what all have. */
export type Parts = Omit<Checked, 'type' | 'target' | 'isMount' | 'isNoexec' | 'optional' | 'creates'>;

export interface MountType {
  /** The fields that it has beside `type`, `target` and `optional`. */
  readonly fields: readonly string[];
  /** @param option 'mounts[0]' */
  check(given: Given, option: string): Parts;
  /** Whether what is at its target is not seen any more: it is no mount of the entry's own, and cannot be the root. */
  readonly hides?: true;
  /** Whether it may be the root. */
  readonly isRoot?: true;
}

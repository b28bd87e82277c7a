// The ids that a child has on its way, of users or of groups: as it starts, while it is set up, and as the program.
import { Flags } from '../flags';
import { becomesZero, ownBelow, takenID, through, type IdMap, type Ranges } from './ids';
import type { Request } from './request';

export class ChildIds {
  readonly #request: Request;
  readonly #kind: 'uid' | 'gid';

  constructor(request: Request, kind: 'uid' | 'gid') {
    this.#request = request;
    this.#kind = kind;
  }

  /** The map of the new user namespace. */
  get #map(): IdMap | undefined {
    return this.#kind === 'uid' ? this.#request.uidMap : this.#request.gidMap;
  }

  /** That of the second one, which the program is in. */
  get #innerMap(): Ranges['ranges'] | undefined {
    const { inner } = this.#request;
    return this.#kind === 'uid' ? inner?.uidMap : inner?.gidMap;
  }

  /** As the maps of the new user namespace have it outside: our own; below a joined one that which we take there. */
  get atStart(): number {
    const request = this.#request;
    return request.joinsUser ? ownBelow(this.#map) : request.own[this.#kind];
  }

  /** In the new or joined user namespace; the overflow id where it has none. */
  get inSetUp(): number {
    const request = this.#request;
    if (request.creates(Flags.NEWUSER)) return takenID(this.#map, this.atStart);
    return request.joinsUser ? 0 : request.own[this.#kind];
  }

  /** As seen inside; the overflow id where it has none. */
  get ofProgram(): number {
    const { [this.#kind]: given, inner } = this.#request;
    if (given !== undefined) return given;
    if (inner === undefined) return this.inSetUp;
    return inner.join === undefined ? takenID({ ranges: this.#innerMap! }, this.inSetUp) : 0;
  }

  /** From those of the program to ours; undefined where there is no map. */
  get map(): Ranges | undefined {
    return this.#innerMap === undefined ? this.#map : through(this.#innerMap, this.#map);
  }

  /** Whether we have something to write while the stub waits. */
  get isMappedByParent(): boolean {
    return this.#map !== undefined && this.#map.writer !== 'stub';
  }

  /** Whether set-up becomes 0 in the new user namespace. Who we are is asked for where there is one alone. */
  get becomesZero(): boolean {
    return this.#map !== undefined && becomesZero(this.#map, this.atStart);
  }
}

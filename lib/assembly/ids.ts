// The maps of a user namespace, and what an id is on their other side; see user_namespaces(7).
import type { IdMapping } from '../../types/options';

/** The id of who has none, see the sysctl kernel.overflowuid. */
const overflowId = 65_534;

/** The map of user or of group ids. */
export interface IdMap {
  readonly ranges: readonly IdMapping[];
  /** Who may write it: the stub maps our own id by itself; more takes our privilege, or the helper's. */
  readonly writer: 'stub' | 'parent' | 'helper';
  /** Where it was asked for by a word. */
  readonly word?: 'root' | 'keep' | 'auto' | undefined;
}

/** Ids of a map as they were asked for: of our own id, or ranges. */
export type WantedIds = 'root' | 'keep' | readonly IdMapping[];

/** The ranges of a map. */
export interface Ranges {
  readonly ranges: readonly IdMapping[];
}

/** Whether a map has a place for root. */
export function mapsZero(map: Ranges | undefined): boolean {
  if (map === undefined) return false;
  for (const range of map.ranges) if (range.containerID === 0) return true;
  return false;
}

/** What an id of ours is inside; undefined where the map leaves it out. */
export function insideID(map: Ranges | undefined, own: number): number | undefined {
  const range = map?.ranges.find(({ hostID, size }) => own >= hostID && own < hostID + size);
  return range === undefined ? undefined : range.containerID + (own - range.hostID);
}

/** What an id inside is to us; undefined where the map leaves it out. */
export function outsideID(map: Ranges | undefined, inside: number): number | undefined {
  const range = map?.ranges.find(({ containerID, size }) => inside >= containerID && inside < containerID + size);
  return range === undefined ? undefined : range.hostID + (inside - range.containerID);
}

/** The id that set-up takes inside: 0, where that is mapped, else its own. */
export function takenID(map: Ranges | undefined, own: number): number {
  return mapsZero(map) ? 0 : (insideID(map, own) ?? overflowId);
}

/** Whether set-up becomes 0 inside, as its own id is something else there, or nothing. */
export function becomesZero(map: Ranges | undefined, own: number): boolean {
  return mapsZero(map) && insideID(map, own) !== 0;
}

/** In a joined user namespace we become 0 where that is mapped; one that has no 0 keeps us, and a map that names another id says so. */
export function ownBelow(map: Ranges | undefined): number {
  return map?.ranges[0]?.hostID ?? 0;
}

/** A map of a map: what has no place in the outer one is left out. */
export function through(ranges: readonly IdMapping[], outer: Ranges | undefined): Ranges {
  const found: IdMapping[] = [];
  for (const { containerID, hostID, size } of ranges) {
    for (const line of outer?.ranges ?? []) {
      const from = Math.max(hostID, line.containerID);
      const to = Math.min(hostID + size, line.containerID + line.size);
      if (from >= to) continue;
      found.push({
        containerID: containerID + from - hostID,
        hostID: line.hostID + from - line.containerID,
        size: to - from,
      });
    }
  }
  return { ranges: found };
}

// What a request depends on beside its options: our ids, our limits, PATH.

/** Something that was found when a request was checked. */
export interface Fact {
  /** Whether it is still so: then the request can be used once more. */
  holds(): boolean;
}

/** What takes as long to compare as to find out. */
export const changeable: Fact = { holds: () => false };

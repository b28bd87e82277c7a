// The layout of an instruction, in 32-bit words; src-native/loop/format.h has the same numbers.

export const enum Op {
  Call = 0,
  Store = 1,
  Wait = 2,
  Exit = 3,
  Fail = 4,
  Compare = 5,
  Tell = 6,
}

export const enum Kind {
  Number = 0,
  Data = 1,
  Result = 2,
  Word = 3,
  Report = 4,
}

export const enum Policy {
  HasMinimum = 1,
  Retry = 2,
  Fork = 4,
  Stay = 8,
  Explains = 16,
  Awaits = 32,
}

/** Where the fields of an instruction lie. */
export const enum Field {
  /** op, argument count, rule count, policy: a byte each. */
  Head = 0,
  /** Number of the system call, then the slot (plus one) that keeps the result: 16 bits each. */
  Call = 1,
  /** Eight bytes. */
  Kinds = 2,
  Minimum = 4,
  /** Eight pairs of 16 bits: errno, skip. */
  Rules = 6,
  /** Six of 64 bits. */
  Arguments = 14,
  /** Words of one instruction. */
  Size = 26,
}

/** Where in a line that tells of a failure the digits of its errno are. */
export const ErrnoFrom = 9;
export const ErrnoTo = 13;

export const AnyErrno = 0xffff;
export const MaxArguments = 6;
export const MaxRules = 8;
export const MaxResults = 500;
export const MaxInstructions = 16384;

/** Where in the data the stub writes its end of the channel. */
export const ChannelWord = 0;
/** Where the launch leaves the descriptor of our /proc, for programs that use it. */
export const ProcWord = 4;
/** Bytes at the start of the data that are not the program's own. */
export const Reserved = 8;
/** Where in the report the kernel writes the pid of the second clone. */
export const ReportPid = 12;

/** What a report names in the place of an instruction before the first one runs. */
export const Entering = 0xffffffff;
export const ArrivingInStub = 0xfffffffe;
export const Loading = 0xfffffffd;
/** And for a child that we were refused a pidfd of. */
export const NoPidfd = 0xfffffffc;

/** What a child says over the channel, a byte each. */
export const enum Message {
  Born = 3,
  Program = 4,
  Namespaces = 5,
  Middle = 7,
  Terminal = 8,
}

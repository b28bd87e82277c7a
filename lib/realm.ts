// Whether this code runs in the realm of Node itself. Jest, and whoever else uses node:vm, run programs in others, each with an Object,
// an Array and an Error of its own.

/** Node's own functions are instances of Node's own Function, whoever looks at them. */
export const isMainRealm = process.getBuiltinModule instanceof Function;

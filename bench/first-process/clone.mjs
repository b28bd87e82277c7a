// A Node process whose only work is one clone(); with the argument `namespaces` into all of them, with `at-once` in the first turn of the
// event loop, in which the package has had no time to get ready.
import { setImmediate, setTimeout } from 'node:timers/promises';
import * as library from 'nsclone';
import { clonedInNamespaces, clonedPlain } from '../contenders.mjs';
import { held } from '../timing.mjs';

const [, , what] = process.argv;
const way = what === 'namespaces' ? clonedInNamespaces(library) : clonedPlain(library);
await setImmediate(); // the event loop must run before it can be asked for its sleep
if (what !== 'at-once') await setTimeout(50);
console.log(JSON.stringify(await held(way)));

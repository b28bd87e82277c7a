// A Node process whose only work is one clone(); with the argument `namespaces` into all of them.
import { setImmediate } from 'node:timers/promises';
import * as library from 'nsclone';
import { clonedInNamespaces, clonedPlain } from '../contenders.mjs';
import { held } from '../timing.mjs';

const way = process.argv[2] === 'namespaces' ? clonedInNamespaces(library) : clonedPlain(library);
await setImmediate(); // the event loop must run before it can be asked for its sleep
console.log(JSON.stringify(await held(way)));

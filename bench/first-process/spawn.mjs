// A Node process whose only work is one child_process.spawn().
import { setImmediate, setTimeout } from 'node:timers/promises';
import { spawned } from '../contenders.mjs';
import { held } from '../timing.mjs';

const way = spawned();
await setImmediate(); // the event loop must run before it can be asked for its sleep
await setTimeout(50);
console.log(JSON.stringify(await held(way)));

// From the call to the exit of /bin/true, plain and in all namespaces, against the C floor and the usual tools.
import {
  BWRAP,
  clonedInNamespaces,
  clonedPlain,
  clonedPlan,
  installedPeer,
  loadLibrary,
  spawned,
  UNSHARE,
} from '../contenders.mjs';
import { startFloor } from '../floor.mjs';
import { interleave } from '../interleave.mjs';
import { callToExit } from '../timing.mjs';

export const title = 'Call → exit of /bin/true, stdio ignored';
export const variants = ['plain', 'all namespaces'];

export async function measure(variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  const floor = startFloor();
  const ways = variant === 'plain' ? plain(library) : await inNamespaces(library, missing);
  const mode = variant === 'plain' ? 'plain' : 'namespaces';
  const takes = {
    'C floor': async () => ({ 'call → exit': (await floor.ask(mode, 1))[0] }),
    ...Object.fromEntries(Object.entries(ways).map(([subject, way]) => [subject, way && (() => callToExit(way))])),
  };
  const figures = await interleave(takes, { ...bench, missing, own: true });
  floor.stop();
  return figures;
}

const plain = (library) => ({ spawn: spawned(), clone: library && clonedPlain(library) });

async function inNamespaces(library, missing) {
  return {
    'spawn unshare': await installedPeer(UNSHARE, missing),
    'spawn bwrap': await installedPeer(BWRAP, missing),
    clone: library && clonedInNamespaces(library),
    'clone(plan)': library && clonedPlan(library),
  };
}

const goal = (variant, subject, limit) => ({
  of: [variant, 'call → exit', 'clone'],
  to: [variant, 'call → exit', subject],
  ...limit,
});

export const goals = [
  goal('plain', 'C floor', { atMost: 1.25 }),
  goal('all namespaces', 'C floor', { atMost: 1.2 }),
  goal('all namespaces', 'spawn unshare', { atMost: 1 / 2.2 }),
  goal('all namespaces', 'spawn bwrap', { atMost: 1 / 3 }),
];

// The same sandbox by bubblewrap, by its own line on this library, and by the floor.
import { spawn } from 'node:child_process';
import { installedPeer, loadLibrary } from '../contenders.mjs';
import { startFloor } from '../floor.mjs';
import { interleave } from '../interleave.mjs';
import { toFirstByte } from '../timing.mjs';

export const title = "A sandbox, by bubblewrap's own line";
export const variants = ['whole'];

const PIPED = { stdio: ['ignore', 'pipe', 'ignore'] };

/** What the floor does in `container N`. */
const LINE = [
  '--unshare-user --uid 0 --gid 0 --unshare-pid --as-pid-1 --unshare-uts --hostname box --unshare-ipc --unshare-net',
  '--unshare-cgroup --ro-bind /usr /usr',
  ...['bin', 'lib', 'lib64', 'sbin'].map((name) => `--symlink usr/${name} /${name}`),
  '--proc /proc --ro-bind /sys /sys --dev /dev --tmpfs /tmp --tmpfs /run --cap-drop ALL --clearenv --chdir / /bin/echo x',
].flatMap((words) => words.split(' '));

export async function measure(_variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  const peer = await installedPeer(['bwrap', LINE], missing);
  const bwrap = library && (await import('nsclone/bwrap'));
  const floor = startFloor();
  try {
    const takes = {
      'C floor': async () => ({ 'call → first byte': (await floor.ask('container', 1))[0] }),
      bwrap: peer && (() => firstByte(() => spawn('bwrap', LINE, PIPED))),
      'clone(fromBwrap())': library && (() => firstByte(() => cloned(library, bwrap))),
    };
    return await interleave(takes, { ...bench, missing, own: true });
  } finally {
    floor.stop();
  }
}

/** The line is read in each run. */
function cloned({ clone }, { fromBwrap }) {
  const { command, args, options } = fromBwrap(LINE);
  return clone(command, args, { ...options, ...PIPED });
}

const firstByte = async (start) => ({ 'call → first byte': await toFirstByte(start) });

const byteOf = (subject) => ['whole', 'call → first byte', subject];

export const goals = [
  { of: byteOf('clone(fromBwrap())'), to: byteOf('bwrap'), atMost: 1 / 3 },
  { of: byteOf('clone(fromBwrap())'), to: byteOf('C floor'), atMost: 1.6 },
];

// A whole container: how long its start holds the JS thread, how soon it prints, and what one more mount costs.
import { spawn } from 'node:child_process';
import { installedPeer, loadLibrary } from '../contenders.mjs';
import { startFloor } from '../floor.mjs';
import { interleave } from '../interleave.mjs';
import { held, since, toFirstByte } from '../timing.mjs';

export const title = 'A container: the programs of the host in a root of its own';
export const variants = ['whole', 'minibox', 'mounts'];

const COMMAND = ['/bin/echo', ['x']];
const PIPED = { stdio: ['ignore', 'pipe', 'ignore'] };

const LINKS = ['bin', 'lib', 'lib64', 'sbin'];
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const DEVICE_LINKS = {
  ptmx: 'pts/ptmx',
  core: '/proc/kcore',
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
};
const READONLY = ['/proc/sys', '/proc/irq', '/proc/bus'];

/** What bubblewrap has options for, and does by itself: its `--dev` is all that is in /dev here, its `--proc` has the last entries. */
function container({ Flags }) {
  const { NEWUSER, NEWPID, NEWNS, NEWUTS, NEWIPC, NEWNET, NEWCGROUP } = Flags;
  const shown = { type: 'bind', nosuid: true, create: true };
  return {
    flags: NEWUSER | NEWPID | NEWNS | NEWUTS | NEWIPC | NEWNET | NEWCGROUP,
    uidMap: 'root',
    gidMap: 'root',
    hostname: 'box',
    loopback: true,
    root: { type: 'tmpfs' },
    mounts: [
      { ...shown, source: '/usr', target: '/usr', readonly: true, nodev: true },
      ...LINKS.map((name) => ({ type: 'symlink', target: `/${name}`, to: `usr/${name}` })),
      { type: 'proc', target: '/proc', create: true },
      { ...shown, source: '/sys', target: '/sys', readonly: true, nodev: true },
      { type: 'tmpfs', target: '/dev', create: true },
      ...DEVICES.map((name) => ({ ...shown, source: `/dev/${name}`, target: `/dev/${name}` })),
      ...Object.entries(DEVICE_LINKS).map(([name, to]) => ({ type: 'symlink', target: `/dev/${name}`, to })),
      { type: 'dir', target: '/dev/shm' },
      { type: 'devpts', target: '/dev/pts', create: true },
      { type: 'tmpfs', target: '/tmp', create: true },
      { type: 'tmpfs', target: '/run', create: true },
      ...READONLY.map((target) => ({ type: 'readonly', target })),
    ],
    capabilities: [],
    noNewPrivileges: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
  };
}

const BWRAP = [
  'bwrap',
  [
    '--unshare-user --uid 0 --gid 0 --unshare-pid --as-pid-1 --unshare-uts --hostname box --unshare-ipc --unshare-net',
    '--unshare-cgroup --ro-bind /usr /usr',
    ...LINKS.map((name) => `--symlink usr/${name} /${name}`),
    '--proc /proc --ro-bind /sys /sys --dev /dev --tmpfs /tmp --tmpfs /run --cap-drop ALL --clearenv --chdir /',
    ...COMMAND.flat(),
  ].flatMap((words) => words.split(' ')),
];

export async function measure(variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  const floor = startFloor();
  try {
    const takes = { whole, minibox, mounts }[variant];
    return await interleave(await takes({ library, missing, floor }), { ...bench, missing, own: true });
  } finally {
    floor.stop();
  }
}

async function whole({ library, missing, floor }) {
  const peer = await installedPeer(BWRAP, missing);
  const options = library && { ...container(library), ...PIPED };
  return {
    'C floor': async () => ({ 'call → first byte': (await floor.ask('container', 1))[0] }),
    bwrap: peer && (() => firstByte(() => spawn(...BWRAP, PIPED))),
    clone: library && (() => firstByte(() => library.clone(...COMMAND, options))),
  };
}

/** The options of examples/minibox.ts, which have more: layers, masks, files, a filter, a pid 1. */
async function minibox({ library, missing }) {
  if (!library) return {};
  let options;
  try {
    const { optionsOf } = await import('../../build/examples/box.js');
    options = { ...optionsOf({ root: 'host', hostname: 'box', ids: 'root', sysfs: true }), ...PIPED };
  } catch (error) {
    missing.push({ subject: 'clone', reason: `not loaded (npm run build:examples): ${error.message}` });
    return {};
  }
  let count = 0;
  const start = () => library.clone(...COMMAND, options);
  const startAnother = () => library.clone(...COMMAND, { ...options, hostname: `box-${count++}` });
  return {
    clone: async () => ({ ...(await firstByte(start)), ...(await held(waitedFor(start))) }),
    'clone, another host name each time': () => held(waitedFor(startAnother)),
  };
}

const COUNTS = [1, 100, 200];

/** So many binds of a file, each in a place of its own; what each adds, in the first hundred and in the second. */
function mounts({ library, floor }) {
  const each = (take) => async () => {
    const [one, hundred, two] = [await take(COUNTS[0]), await take(COUNTS[1]), await take(COUNTS[2])];
    return {
      'call → exec, 200 mounts': two,
      'a mount of the first hundred': (hundred - one) / (COUNTS[1] - COUNTS[0]),
      'a mount of the second hundred': (two - hundred) / (COUNTS[2] - COUNTS[1]),
    };
  };
  return {
    'C floor': each(async (count) => (await floor.ask(`mounts ${count}`, 1))[0]),
    clone: library && each(timeOfMounts(library)),
  };
}

function timeOfMounts(library) {
  const { NEWUSER, NEWNS } = library.Flags;
  const own = { flags: NEWUSER | NEWNS, uidMap: 'root', gidMap: 'root', stdio: 'ignore' };
  const mountsOf = (count) => [
    { type: 'tmpfs', target: '/mnt' },
    ...Array.from({ length: count }, (_, index) => ({
      type: 'bind',
      source: '/dev/null',
      target: `/mnt/${index}`,
      create: true,
    })),
  ];
  const options = new Map(COUNTS.map((count) => [count, { ...own, mounts: mountsOf(count) }]));
  return async (count) => {
    const began = process.hrtime.bigint();
    const child = await library.clone('/bin/true', [], options.get(count));
    const running = since(began);
    await child.exited;
    return running;
  };
}

const firstByte = async (start) => ({ 'call → first byte': await toFirstByte(start) });

const waitedFor = (start) => ({
  start,
  settled: (child) => child,
  async exited(child) {
    const { code, signal } = await (await child).exited;
    if (code !== 0) throw new Error(`the child ended with ${signal ?? `code ${code}`}`);
  },
});

const byteOf = (subject) => ['whole', 'call → first byte', subject];

const mountOf = (hundred, subject = 'clone') => ['mounts', `a mount of the ${hundred} hundred`, subject];

export const goals = [
  { of: ['minibox', 'call', 'clone'], atMost: 200e3, unit: 'ns' },
  { of: byteOf('clone'), to: byteOf('bwrap'), atMost: 1 / 3 },
  { of: byteOf('clone'), to: byteOf('C floor'), atMost: 1.5 },
  // The cost of a mount does not grow with their number.
  { of: mountOf('second'), to: mountOf('first'), atMost: 1.25 },
  { of: mountOf('second'), to: mountOf('second', 'C floor'), atMost: 1.5 },
];

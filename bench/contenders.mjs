// What is compared: ways to start a child, each as `start`, `settled` (the promise or event that says it runs) and `exited`.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const TRUE = '/bin/true';

/** The built package by its own name, or undefined with the reason noted in `missing`. */
export async function loadLibrary(missing) {
  try {
    return await import('nsclone');
  } catch (error) {
    missing.push({ subject: 'clone', reason: `not loaded (npm run build): ${error.message}` });
    return undefined;
  }
}

/** The options of "all namespaces"; bench/floor.c does the same by hand. */
export function allNamespaces({ Flags }) {
  const { NEWUSER, NEWPID, NEWNS, NEWUTS, NEWIPC, NEWNET, NEWCGROUP } = Flags;
  return {
    flags: NEWUSER | NEWPID | NEWNS | NEWUTS | NEWIPC | NEWNET | NEWCGROUP,
    uidMap: 'root',
    gidMap: 'root',
    hostname: 'box',
    mounts: [{ type: 'proc', target: '/proc' }],
    loopback: true,
    stdio: 'ignore',
  };
}

const cloned = (start) => ({
  start,
  settled: (promise) => promise,
  exited: async (promise) => succeeded(await (await promise).exited),
});

export const clonedPlain = ({ clone }) => cloned(() => clone(TRUE, [], { stdio: 'ignore' }));

export const clonedInNamespaces = ({ clone, ...library }) => {
  const options = allNamespaces(library);
  return cloned(() => clone(TRUE, [], options));
};

export const clonedPlan = ({ clone, plan, ...library }) => {
  const prepared = plan(TRUE, [], allNamespaces(library));
  return cloned(() => clone(prepared));
};

/** Twenty of the options that need no mount and no privilege outside. */
function twentyOptions(library) {
  return {
    ...allNamespaces(library),
    propagation: 'slave',
    cwd: '/',
    umask: 0o22,
    uid: 0,
    gid: 0,
    noNewPrivileges: true,
    rlimits: { nofile: 256, core: 0 },
    nice: 1,
    cpuAffinity: [0],
    oomScoreAdj: 100,
    keyring: 'new',
    detached: true,
    argv0: 'renamed',
  };
}

export const clonedWithOptions = ({ clone, ...library }) => {
  const options = twentyOptions(library);
  return cloned(() => clone(TRUE, [], options));
};

/** Options that were never there before: nothing of an earlier start can be used again. */
export const clonedWithOtherOptions = ({ clone, ...library }) => {
  const options = twentyOptions(library);
  let count = 0;
  return cloned(() => clone(TRUE, [], { ...options, hostname: `box-${count++}` }));
};

export const spawned = (command = TRUE, args = []) => ({
  start: () => spawn(command, args, { stdio: 'ignore' }),
  settled: (child) => once(child, 'spawn'),
  exited: async (child) => {
    const [code, signal] = await once(child, 'exit');
    succeeded({ code, signal });
  },
});

/** util-linux's closest line; it has no option for the host name or the loopback device, so it does less. */
export const UNSHARE = [
  'unshare',
  ['--map-root-user', '--pid', '--fork', '--mount-proc', '--uts', '--ipc', '--net', '--cgroup', TRUE],
];

/** bubblewrap's closest line; loopback is up by itself, a root pivot cannot be left out, `--dev-bind` changes no mount. */
export const BWRAP = [
  'bwrap',
  [
    '--unshare-user --uid 0 --gid 0 --unshare-pid --as-pid-1 --unshare-uts --hostname box --unshare-ipc --unshare-net',
    '--unshare-cgroup --dev-bind / / --proc /proc',
    TRUE,
  ].flatMap((words) => words.split(' ')),
];

/** The peer, once it has run for this user; else undefined with the reason noted in `missing`. */
export async function installedPeer([command, args], missing) {
  try {
    await promisify(execFile)(command, args);
    return spawned(command, args);
  } catch (error) {
    const reason = error.code === 'ENOENT' ? 'not installed' : `fails here: ${complaint(error)}`;
    missing.push({ subject: command, reason });
    return undefined;
  }
}

function succeeded({ code, signal }) {
  if (code !== 0) throw new Error(`the child ended with ${signal ?? `code ${code}`}`);
}

function complaint({ stderr, message }) {
  return [stderr?.trim(), message].find(Boolean);
}

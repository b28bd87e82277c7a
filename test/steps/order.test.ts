// The order of the steps, against what each of them says about its place.
import { order } from '../../lib/assembly/order';
import { optionNames } from '../../lib/assembly/assemble';
import type { CloneOptions } from '../../lib';

const names = order.map(({ name }) => name);

test('every step has a name of its own', () => {
  expect(new Set(names).size).toBe(names.length);
});

test.each(order.map((step) => [step.name, step] as const))('%s comes after all that it names', (name, step) => {
  for (const [other, reason] of Object.entries(step.after)) {
    expect(names).toContain(other);
    expect(names.indexOf(other)).toBeLessThan(names.indexOf(name));
    expect(reason).not.toBe('');
  }
});

test('every option has exactly one step that owns it', () => {
  const owned = order.flatMap(({ options }) => options);
  expect(new Set(owned).size).toBe(owned.length);
  expect([...owned].sort()).toEqual([...optionNames].sort());
});

test('every option of the types has an owner', () => {
  // Whoever adds an option to CloneOptions has to add it here, and the step that owns it.
  const all: Record<keyof Required<CloneOptions>, true> = {
    apparmorProfile: true,
    argv0: true,
    capabilities: true,
    cgroup: true,
    closeFds: true,
    commandFd: true,
    cpuAffinity: true,
    cwd: true,
    detached: true,
    domainname: true,
    env: true,
    flags: true,
    gid: true,
    gidMap: true,
    groups: true,
    hold: true,
    hostname: true,
    init: true,
    inner: true,
    ioPriority: true,
    join: true,
    keyring: true,
    killGrace: true,
    killSignal: true,
    landlock: true,
    loopback: true,
    memoryPolicy: true,
    mounts: true,
    nice: true,
    noNewPrivileges: true,
    oomScoreAdj: true,
    parentDeathSignal: true,
    personality: true,
    processGroup: true,
    propagation: true,
    pty: true,
    rlimits: true,
    root: true,
    scheduler: true,
    seccomp: true,
    securebits: true,
    selinuxLabel: true,
    setgroups: true,
    signal: true,
    stdio: true,
    steps: true,
    sysctl: true,
    timeOffsets: true,
    timeout: true,
    uid: true,
    uidMap: true,
    umask: true,
  };
  expect([...optionNames].sort()).toEqual(Object.keys(all).sort());
});

test('a step that owns an option checks it', () => {
  for (const { options, check } of order) expect(check !== undefined).toBe(options.length > 0);
});

test('the command is the last step', () => {
  expect(names.at(-1)).toBe('command');
});

test('what runs before the second clone is nothing that only the program may be', () => {
  for (const name of ['hostname', 'loopback', 'propagation', 'mounts', 'closeFds', 'cwd', 'command']) {
    expect(names.indexOf(name)).toBeGreaterThan(names.indexOf('process'));
  }
});

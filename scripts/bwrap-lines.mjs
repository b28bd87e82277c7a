// Command lines of bubblewrap, generated: the same ones for the same seed, right and wrong.

/** A generator of numbers from 0 to 1, see https://en.wikipedia.org/wiki/Linear_congruential_generator */
function numbers(seed) {
  let state = BigInt(seed) * 2_862_933_555_777_941_757n + 3_037_000_493n;
  return () => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & 0xffff_ffff_ffff_ffffn;
    return Number(state >> 33n) / 2 ** 31;
  };
}

/** Descriptors that every line is started with: what is read from them, and what is written. */
export const given = {
  text: 3,
  empty: 4,
  args: 5,
  wrongArgs: 6,
  filter: 7,
  wrongFilter: 8,
  info: 9,
  json: 10,
  ready: 11,
};

/** A root in which the look from inside works. */
const roots = (folder) => [
  ['--ro-bind', '/', '/'],
  ['--ro-bind', '/', '/'],
  ['--ro-bind', '/', '/', '--bind', '/var/tmp', '/var/tmp'],
  '--ro-bind /usr /usr --ro-bind /etc /etc --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64'.split(
    ' ',
  ),
  ['--ro-bind', '/', '/', '--bind', folder, folder],
  '--tmpfs / --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64'.split(' '),
];

/** What every line can have, each as often as it stands here. */
function options(folder, pick, number) {
  const at = (name) => `${folder}/${name}`;
  const targets = () =>
    mostly(
      ['/tmp/a', '/tmp/a/b', '/tmp/c/d/e', '/tmp', '/tmp//f/../g', 'tmp/h'],
      ['/run/x', '/nowhere', '/', at('dir')],
    );
  const sources = () =>
    mostly(
      [at('dir'), at('dir'), at('link'), at('dir/inner'), '/usr', 'dir'],
      [at('file'), '/dev/null', at('missing'), at('dead')],
    );
  /** One that is right, mostly. */
  const mostly = (right, wrong) => pick(number() < 0.9 ? right : wrong);
  const binds = ['--bind', '--ro-bind', '--dev-bind', '--bind-try', '--ro-bind-try', '--dev-bind-try'];
  const modes = () =>
    mostly(['0755', '0700', '1777', '0', '644', '0710', '0604', '7777', ' 7'], ['10000', '9', '', 'x', '-1']);
  const perms = () => (number() < 0.3 ? ['--perms', modes()] : []);
  return [
    () => [pick(binds), sources(), targets()],
    () => [pick(binds), sources(), targets()],
    () => [pick(binds), sources(), targets()],
    () => ['--tmpfs', '/tmp'],
    () => [...perms(), '--tmpfs', targets()],
    () => [
      '--size',
      mostly(['1048576', '0x10000', '010000'], ['0', '', '-1', '12k', '18446744073709551616']),
      '--tmpfs',
      targets(),
    ],
    () => ['--proc', mostly(['/proc', '/tmp/proc'], ['/nowhere/proc'])],
    () => ['--dev', mostly(['/dev', '/dev', '/tmp/dev'], ['/nowhere/dev'])],
    () => ['--mqueue', mostly(['/tmp/queue'], ['/dev/mqueue'])],
    () => [...perms(), '--dir', targets()],
    () => [
      '--symlink',
      mostly(['/usr', 'a', 'usr/bin'], ['']),
      mostly(['/tmp/link', '/tmp/a/link'], [targets(), '/bin']),
    ],
    () => [
      ...perms(),
      pick(['--file', '--bind-data', '--ro-bind-data']),
      String(mostly([given.text, given.empty], [77])),
      mostly(['/tmp/g', '/tmp/c/g', '/tmp/a'], [targets()]),
    ],
    () => ['--chmod', modes(), mostly(['/tmp', '/'], [targets()])],
    () => ['--remount-ro', mostly(['/', '/tmp'], ['/usr', targets()])],
    () => ['--unshare-all'],
    () => ['--unshare-all', '--share-net'],
    () => [`--unshare-${pick(['user', 'user-try', 'ipc', 'pid', 'net', 'uts', 'cgroup', 'cgroup-try'])}`],
    () => [`--unshare-${pick(['user', 'user-try', 'ipc', 'pid', 'net', 'uts', 'cgroup', 'cgroup-try'])}`],
    () => ['--uid', mostly([String(process.getuid())], ['0', '12345', '-1', 'x', ''])],
    () => ['--gid', mostly([String(process.getgid())], ['0', '54321', '5x'])],
    () => ['--unshare-user', '--uid', pick(['0', '7']), '--gid', pick(['0', '8'])],
    () => ['--unshare-uts', '--hostname', mostly(['box', '', 'x'.repeat(64)], ['x'.repeat(65)])],
    () => ['--chdir', mostly(['/', '/usr', '/usr/bin/..', 'usr'], ['/nowhere'])],
    () => ['--setenv', mostly(['FOO', 'BAR'], ['', 'A=B']), pick(['1', '', 'a b'])],
    () => ['--unsetenv', mostly(['FOO', 'HOME'], ['', 'A=B'])],
    () => ['--clearenv'],
    () => ['--new-session'],
    () => ['--die-with-parent'],
    () => (number() < 0.1 ? ['--as-pid-1'] : []),
    () => ['--unshare-pid', '--as-pid-1'],
    () => [
      pick(['--cap-add', '--cap-drop']),
      mostly(['ALL', 'CAP_NET_RAW', 'cap_kill', 'CAP_SYS_ADMIN', '5'], ['KILL', 'CAP_NOPE', '']),
    ],
    () => ['--args', String(mostly([given.args, given.empty], [given.wrongArgs, 77]))],
    () => ['--info-fd', String(given.info)],
    () => ['--json-status-fd', String(given.json)],
    () => ['--block-fd', String(given.ready)],
    () => ['--sync-fd', String(given.text)],
    () => ['--lock-file', '/usr/bin/env'],
    () => [pick(['--seccomp', '--add-seccomp-fd']), String(mostly([given.filter], [given.wrongFilter, given.empty]))],
    () => (number() < 0.1 ? ['--disable-userns'] : []),
    () => ['--unshare-user', '--disable-userns'],
    () => (number() < 0.2 ? ['--assert-userns-disabled'] : []),
  ];
}

/** What no line should have. */
const mistakes = [
  '--nope',
  '-x',
  '--bind',
  '--perms',
  '--size',
  '--file',
  '--uid',
  '--args',
  '--chmod',
  '--setenv',
  '--seccomp',
  '--sync-fd',
];

/** @param command what every line ends with */
export function* lines(seed, count, folder, command) {
  for (let index = 0; index < count; index++) {
    const number = numbers(seed * 1_000_003 + index);
    const pick = (list) => list[Math.floor(number() * list.length)];
    const all = options(folder, pick, number);
    const line = [
      ...pick(roots(folder)),
      ...(number() < 0.7 ? ['--proc', '/proc'] : []),
      ...(number() < 0.9 ? ['--tmpfs', '/tmp'] : []),
    ];
    const most = 1 + Math.floor(number() * 7);
    for (let made = 0; made < most; made++) {
      const more = pick(all)();
      // mount(2) refuses the second of the same file system in one place, fsmount(2) does not.
      if (!(more.includes('--mqueue') && line.includes('--mqueue'))) line.push(...more);
    }
    if (number() < 0.06) line.push(pick(mistakes));
    if (number() < 0.3) line.push('--');
    yield number() < 0.03 ? line : [...line, ...(number() < 0.03 ? ['/nowhere/command'] : command)];
  }
}

// The grammar of bubblewrap's arguments: what is taken, and the words that what is wrong is refused with.
import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';

import { leavesNothing } from '../support/leftovers';
import { temporaryFolder } from '../support/temporary-folder';
import { readLine, usage } from '../../tools/bwrap/arguments';
import { options } from '../../tools/bwrap/options';
import { fromBwrap } from '../../tools/bwrap/index';

leavesNothing();
const folder = temporaryFolder();

const read = (...argv: string[]) => readLine(argv, []);
const refused = (...argv: string[]) => {
  const warnings: string[] = [];
  try {
    readLine(argv, warnings);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
};

/** Opens a file with this content while `use` runs. */
function withFile<T>(content: string, use: (descriptor: string) => T): T {
  const path = folder.at('content');
  writeFileSync(path, content);
  const descriptor = openSync(path, 'r');
  try {
    return use(String(descriptor));
  } finally {
    closeSync(descriptor);
    unlinkSync(path);
  }
}

describe('a line', () => {
  test('ends with the first word that is no option, or behind --', () => {
    expect(read('--unshare-pid', 'ls', '--bind').command).toEqual(['ls', '--bind']);
    expect(read('--', '--bind', 'x').command).toEqual(['--bind', 'x']);
    expect(read('--unshare-pid').command).toEqual([]);
  });

  test('keeps the order of its operations', () => {
    const { operations } = read('--tmpfs', '/a', '--bind', '/b', '/c', '--dir', '/d', 'ls');
    expect(operations.map(({ kind, dest }) => `${kind} ${dest}`)).toEqual(['tmpfs /a', 'bind /c', 'dir /d']);
  });

  test('changes the environment in its order', () => {
    expect(
      read('--setenv', 'A', '1', '--clearenv', '--setenv', 'B', '2', '--setenv', 'C', '3', '--unsetenv', 'B').env,
    ).toEqual({
      C: '3',
    });
  });

  test('reads further arguments from descriptors, each once', () => {
    withFile(['--dir', '/x', '--uid', '5'].join('\0'), (descriptor) => {
      const line = read('--args', descriptor, '--dir', '/y', 'ls');
      expect(line.operations.map(({ dest }) => dest)).toEqual(['/x', '/y']);
      expect(line.ids.get('uid')).toBe(5);
    });
    withFile('', (descriptor) =>
      expect(refused('--args', descriptor, '--args', descriptor)).toBe("Can't read --args data: Bad file descriptor"),
    );
    withFile(['--args', '3'].join('\0'), (descriptor) =>
      expect(refused('--args', descriptor)).toBe('--args not supported in arguments file'),
    );
  });

  test('takes modifiers for the next operation alone', () => {
    const { operations } = read('--size', '0x1000', '--perms', '0700', '--tmpfs', '/a', '--tmpfs', '/b', 'ls');
    expect(operations).toMatchObject([
      { mode: 0o700, size: '4096' },
      { mode: 0o755, size: undefined },
    ]);
  });

  test('takes the layers of an overlay, the last on top', () => {
    const { operations } = read('--overlay-src', '/a', '--overlay-src', '/b', '--overlay', '/u', '/w', '/x', 'ls');
    expect(operations).toEqual([{ kind: 'overlay', dest: '/x', layers: ['/b', '/a'], source: '/u', work: '/w' }]);
  });

  test('is warned of what a later option takes the place of', () => {
    const warnings: string[] = [];
    readLine(['--uid', '1', '--uid', '2', '--chdir', '/', '--chdir', '/tmp', 'ls'], warnings);
    expect(warnings).toEqual([
      'Only the last --uid option will take effect',
      'Only the last --chdir option will take effect',
    ]);
  });
});

test.each<[string, string[]]>([
  ['Unknown option --nope', ['--nope']],
  ['Unknown option -x', ['-x']],
  ['--bind takes two arguments', ['--bind', '/a']],
  ['--overlay takes three arguments', ['--overlay-src', '/', '--overlay', '/a', '/b']],
  ['--tmpfs takes an argument', ['--tmpfs']],
  ['--chdir takes one argument', ['--chdir']],
  ['Invalid fd: x', ['--block-fd', 'x']],
  ['Invalid fd: ', ['--info-fd', '']],
  ['Invalid uid: -1', ['--uid', '-1']],
  ['Invalid gid: 7x', ['--gid', '7x']],
  ['unknown cap: CAP_NOPE', ['--cap-add', 'CAP_NOPE']],
  ['setenv failed', ['--setenv', 'A=B', '1']],
  ['unsetenv failed', ['--unsetenv', '']],
  ['--perms takes an octal argument <= 07777', ['--perms', '10000']],
  ['--perms given twice for the same action', ['--perms', '0', '--perms', '0']],
  ['--perms must be followed by an option that creates a file', ['--perms', '0', '--bind', '/', '/']],
  ['--size takes a non-zero number of bytes', ['--size', '0']],
  ['--size takes a non-zero number of bytes', ['--size', '123bogus']],
  ['--size takes a non-zero number of bytes', ['--size', '18446744073709551616']],
  ['--size (for tmpfs) is limited to 9223372036854775807', ['--size', '9223372036854775809']],
  ['--size must be followed by --tmpfs', ['--size', '1', '--dir', '/']],
  ['--chmod takes an octal argument <= 07777', ['--chmod', '8', '/']],
  ['--overlay requires at least one --overlay-src', ['--overlay', '/a', '/b', '/c']],
  ['--ro-overlay requires at least two --overlay-src', ['--overlay-src', '/', '--ro-overlay', '/a']],
  [
    '--overlay-src must be followed by another --overlay-src or one of --overlay, --tmp-overlay, or --ro-overlay',
    ['--overlay-src', '/'],
  ],
  ['--argv0 used multiple times', ['--argv0', 'a', '--argv0', 'b']],
  ["Can't read --args data: Bad file descriptor", ['--args', '999']],
  ['labeling not supported on this system', ['--exec-label', 'x']],
])('%s', (message, argv) => {
  expect(refused(...argv)).toBe(message);
});

test.each<[string, string[]]>([
  ['--userns-block-fd requires --unshare-user', ['--userns-block-fd', '9']],
  ['--userns-block-fd requires --info-fd', ['--unshare-user', '--userns-block-fd', '9']],
  ['--userns not compatible --unshare-user', ['--userns', '9', '--unshare-user']],
  ['--userns not compatible --unshare-user-try', ['--userns', '9', '--unshare-user-try']],
  ['--disable-userns requires --unshare-user', ['--disable-userns']],
  [
    '--disable-userns is not compatible with  --userns-block-fd',
    ['--unshare-user', '--disable-userns', '--info-fd', '9', '--userns-block-fd', '9'],
  ],
  ['Specifying --hostname requires --unshare-uts', ['--hostname', 'box']],
  ['Specifying --as-pid-1 requires --unshare-pid', ['--as-pid-1']],
  ['Specifying --as-pid-1 and --lock-file is not permitted', ['--unshare-pid', '--as-pid-1', '--lock-file', '/x']],
  ['--userns2 requires --userns', ['--userns2', '9']],
  ["Can't set hostname to " + 'x'.repeat(65) + ': Invalid argument', ['--unshare-uts', '--hostname', 'x'.repeat(65)]],
])('%s', (message, argv) => {
  expect(() => fromBwrap([...argv, 'ls'])).toThrow(
    expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', option: 'argv', message }),
  );
});

test('a command must be there', () => {
  expect(() => fromBwrap(['--unshare-pid'])).toThrow('a command is missing');
  expect(() => fromBwrap(['--help'])).toThrow('--help starts nothing');
});

test('more than 9000 arguments are refused', () => {
  expect(refused(...Array.from({ length: 9001 }, () => '--clearenv'))).toBe(
    'Exceeded maximum number of arguments 9000',
  );
});

test('the usage has every option', () => {
  const text = usage('bwrap');
  expect(text).toMatch(/^usage: bwrap \[OPTIONS\.\.\.\] \[--\] COMMAND/);
  for (const name of Object.keys(options)) expect(text).toContain(`    ${name} `);
});

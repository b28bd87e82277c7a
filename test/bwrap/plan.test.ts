// `nsclone plan bwrap`: a line as a call of clone(), and its system calls.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const cli = join(root, 'dist/lib/cli.js');
const nsclone = (...argv: string[]) =>
  spawnSync(cli, argv, { encoding: 'utf8', env: { ...process.env, SECRET: 'secret' } });

test('prints a call that does the same as the line', () => {
  const line = [
    '--ro-bind',
    '/',
    '/',
    '--tmpfs',
    '/tmp',
    '--unshare-user',
    '--disable-userns',
    '--setenv',
    'A',
    '1',
    '--dir',
    '/tmp/d',
  ];
  const { status, stdout } = nsclone(
    'plan',
    'bwrap',
    ...line,
    '--',
    'sh',
    '-c',
    'echo A=$A; ls /tmp; unshare -U true 2>&-; echo $?',
  );
  expect(status).toBe(0);
  const call = stdout.slice(0, stdout.indexOf('\n\n', stdout.indexOf('await')));
  expect(call).toContain("mounts: [\n    { type: 'tmpfs', target: '/tmp', mode: 0o755, create: true },\n");
  expect(call).toContain("A: '1'");
  const program = call.replace("from 'nsclone'", `from ${JSON.stringify(join(root, 'dist/lib/index.mjs'))}`);
  writeFileSync(folder.at('call.mjs'), program.replace(/^\}\);/m, "stdio: 'inherit' });\nawait child.exited;"));
  const done = spawnSync(process.execPath, [folder.at('call.mjs')], { encoding: 'utf8' });
  expect(done).toMatchObject({ stdout: 'A=1\nd\n1\n', stderr: '' });
});

test('lists the system calls, and not what else is in the environment', () => {
  const { stdout } = nsclone('plan', 'bwrap', '--unshare-uts', '--hostname', 'box', 'true');
  expect(stdout).toMatch(/sethostname\("box", 3\)/);
  expect(stdout).toContain('env: { ...process.env }');
  expect(stdout).not.toContain('secret');
});

test('starts nothing, and tells what is wrong with a line', () => {
  folder.file('x', '');
  nsclone('plan', 'bwrap', '--bind', '/', '/', 'rm', folder.at('x'));
  expect(readFileSync(folder.at('x'), 'utf8')).toBe('');
  expect(nsclone('plan', 'bwrap', '--nope')).toMatchObject({ status: 1, stderr: 'bwrap: Unknown option --nope\n' });
});

test('tells how it is used', () => {
  expect(nsclone('plan', '--help').stdout).toMatch(/^Usage: nsclone plan bwrap/);
  expect(nsclone('plan')).toMatchObject({
    status: 2,
    stderr: 'nsclone plan: a command is missing; see nsclone plan --help\n',
  });
  expect(nsclone('plan', 'docker')).toMatchObject({ status: 2 });
  expect(nsclone('--help').stdout).toMatch(/^ {2}plan +what a line of bwrap/m);
});

// Libraries of a container: none of them is loaded into Node (the class of CVE-2019-14271).
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { rootOnly } from '../support/capability';
import { compiled, compiler, library } from '../support/compiled';
import { root, runScript } from '../support/own-process';

const nss = compiled('trust/nss', library);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-nss-'));
  symlinkSync(nss.path, join(folder, 'libnss_stranger.so.2'));
  writeFileSync(join(folder, 'nsswitch.conf'), 'passwd: stranger\n');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const lookUp = `await nsclone.clone('true', [], { flags: nsclone.Flags.NEWUSER, uidMap: 'auto' }).catch(() => {});`;
const inWorker = `await new Promise((ended) => {
  const text = ${JSON.stringify('(async () => { const nsclone = require(ROOT); LOOK })();')}.replace('ROOT', JSON.stringify(${JSON.stringify(root)}));
  new (require('node:worker_threads').Worker)(text.replace('LOOK', ${JSON.stringify(lookUp)}), { eval: true }).once('exit', ended);
});`;

/** Looks its own name up where /etc/passwd has no answer and nsswitch.conf is a stranger's, after this. */
function look(before: string, asked = lookUp): string {
  const mounts = `mount --bind ${folder}/nsswitch.conf /etc/nsswitch.conf; mount --bind /dev/null /etc/passwd; exec "$@"`;
  const script = `${before}; ${asked}`;
  const wrapper = ['env', `LD_LIBRARY_PATH=${folder}`, 'unshare', '--mount', 'sh', '-c', mounts, 'sh'];
  const { stderr, status } = runScript(script, wrapper);
  expect(status).toBe(0);
  return stderr;
}

rootOnly('a thread that has left its mount namespace asks no library for the name of its user', () => {
  if (compiler === undefined) return;
  // Where it has not, the library is that of its own files.
  expect(look('')).toContain("a stranger's library is loaded");
  expect(look('nsclone.unshareSync(nsclone.Flags.NEWNS)')).toBe('');
  expect(look('nsclone.setnsSync({ pid: process.ppid }, nsclone.Flags.NEWNS)')).toBe('');
  // A thread is born where the one is that starts it.
  expect(look('', inWorker)).toContain("a stranger's library is loaded");
  expect(look('nsclone.unshareSync(nsclone.Flags.NEWNS)', inWorker)).toBe('');
});

// The stub that is not executed: by a sysctl, by a profile, by a filter; and the way out.
import { execFileSync } from 'node:child_process';

import { wordsOf } from '../../lib/errors/hint';
import { stubHint } from '../../lib/stub-hint';
import { syscalls } from '../../lib/kernel/syscalls';
import { compiled, withCompiler } from '../support/compiled';
import { hosts, onHost } from '../support/host';
import { evaluate } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const told = (files: Record<string, string>, code = 'EACCES') => onHost({ files }, () => wordsOf(stubHint('', code)));
const wayOut = /: set NSCLONE_STUB=\/\S+\/nsclone_stub$/;

test.each([
  [
    'vm.memfd_noexec',
    { ...hosts.free, '/proc/sys/vm/memfd_noexec': '2\n' },
    /^sysctl vm\.memfd_noexec is 2, so no memory/,
  ],
  [
    'a profile without attach_disconnected',
    { ...hosts.free, '/proc/thread-self/attr/current': 'node (enforce)\n', '/proc/sys/vm/memfd_noexec': '0\n' },
    /^the AppArmor profile "node" lets us execute no memory file, which takes the flag attach_disconnected:/,
  ],
  ['SELinux', hosts.rhel, /^the SELinux policy for staff_t is on us: it must allow memfd_create/],
])('%s is named where it is the cause', async (_, files, sentence) => {
  const hint = await told(files);
  expect(hint).toMatch(sentence);
  expect(hint).toMatch(wayOut);
});

test('vm.memfd_noexec is not blamed where it allows it', async () => {
  for (const value of ['0', '1']) {
    const hint = await told({ ...hosts.free, '/proc/sys/vm/memfd_noexec': value });
    expect(hint).not.toContain('memfd_noexec');
    expect(hint).toMatch(wayOut);
  }
});

test('nor for another error', async () => {
  const files = { ...hosts.free, '/proc/sys/vm/memfd_noexec': '2' };
  for (const code of ['EMFILE', 'ENOMEM']) expect(await told(files, code)).toBeUndefined();
  expect(await told(files, 'EPERM')).not.toContain('memfd_noexec');
});

test('what NSCLONE_STUB names is not waited for', () => {
  const fifo = folder.at('fifo');
  execFileSync('mkfifo', [fifo]);
  expect(wordsOf(stubHint(fifo, 'EACCES'))).toMatch(/^NSCLONE_STUB must name the program nsclone_stub/);
});

describe('a filter', () => {
  const refuse = compiled('robustness/refuse', ['-shared', '-fPIC']);

  for (const name of ['memfd_create', 'execveat'] as const) {
    withCompiler(`that refuses ${name} is named`, () => {
      const error = evaluate<Record<string, string>>(`process.env.REFUSE = '${syscalls[name]}=1';
        // It is no addon; loading it is all that is needed.
        try { process.dlopen({ exports: {} }, ${JSON.stringify(refuse.path)}); } catch {}
        delete process.env.REFUSE;
        return nsclone.clone('/bin/true').then(() => ({ hint: 'it ran' }), ({ code, step, hint }) => ({ code, step, hint }));`);
      expect(error).toMatchObject({ code: 'EPERM', step: 'stub' });
      // It sees no path, so a file in place of memory would be refused too.
      expect(error['hint']).toBe(`a seccomp filter is on us, as in a container: its profile must allow ${name}`);
    });
  }
});

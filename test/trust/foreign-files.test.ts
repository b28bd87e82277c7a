// Files of a container whose mount namespace the thread is in: none of them is waited for.
import { asOwner, evaluate, mayOwn } from '../support/own-process';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const owned = mayOwn ? test : test.skip;

/** In a mount namespace where these are fifos. */
function withFifos(paths: readonly string[], source: string): unknown {
  return evaluate(
    `const { execFileSync } = require('node:child_process');
     nsclone.unshareSync(nsclone.Flags.NEWNS);
     // Where mounts are shared, the host would get them.
     execFileSync('mount', ['--make-rprivate', '/']);
     const fifo = ${JSON.stringify(`${folder.folder('fifos')}/fifo`)};
     execFileSync('mkfifo', [fifo]);
     for (const path of ${JSON.stringify(paths)}) execFileSync('mount', ['--bind', fifo, path]);
     fs.unlinkSync(fifo);
     ${source}`,
    asOwner,
  );
}

const asked = `const { NEWUSER } = nsclone.Flags;
  return nsclone.clone('true', [], { flags: NEWUSER, uidMap: 'auto', gidMap: 'auto' }).then(
    () => 'a child',
    ({ code, path, option, hint }) => ({ code, path, option, hint }),
  );`;

owned('the ids that are lent', () => {
  expect(withFifos(['/etc/subuid'], asked)).toEqual({
    code: 'EINVAL',
    path: '/etc/subuid',
    option: 'uidMap',
    hint: 'it has to be a regular file',
  });
});

owned('the name of the user, which is unknown then', () => {
  expect(withFifos(['/etc/passwd'], asked)).not.toBe('a child');
});

owned('what a hint or the probe would tell of', () => {
  expect(
    withFifos(['/etc/subuid', '/etc/subgid', '/etc/passwd'], `return typeof (await nsclone.probe()).kernel;`),
  ).toBe('string');
});

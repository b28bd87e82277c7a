// A moment without a descriptor: what could not be found out then is not taken for an answer, not then and not later.
import { asUser, evaluate } from '../support/own-process';
import { fewDescriptors } from '../support/few-descriptors';

const anUser = process.getuid!() === 0 ? asUser : [];

/** Runs a script that may call `without(work)`: what that does finds no descriptor free. */
function told<T>(source: string, wrapper: readonly string[] = []): T {
  return evaluate<T>(
    `const without = async (work) => {
       const held = [];
       try { for (;;) held.push(fs.openSync('/dev/null')); } catch {}
       try { return await work(); } finally { for (const one of held) fs.closeSync(one); }
     };
     ${source}`,
    [...fewDescriptors, ...wrapper],
  );
}

test('a child that hands its namespaces over is entered afterwards, and not passed by', () => {
  const [first, hostname] = told<string[]>(
    `const { clone, run, Flags } = nsclone;
     const options = { flags: Flags.NEWUSER | Flags.NEWUTS, uidMap: 'root', gidMap: 'root', hostname: 'box', hold: true, stdio: 'ignore' };
     const first = await without(() => clone('sleep', ['100'], options).then(() => 'a child', (error) => error.code));
     const child = await clone('sleep', ['100'], options);
     try {
       const { stdout } = await run('hostname', { join: child });
       return [first, stdout];
     } finally {
       child.kill('SIGKILL');
     }`,
    anUser,
  );
  expect({ first, hostname }).toEqual({ first: 'EMFILE', hostname: 'box\n' });
});

test('that setgroups is given up in our user namespace is known afterwards', () => {
  const codes = told<unknown[]>(
    `const start = () => nsclone.run('true', { uid: 0 }).then(({ code }) => code, (error) => error.message);
     return [await without(start), await start()];`,
    [...anUser, 'unshare', '--user', '--map-root-user'],
  );
  expect(codes).toEqual([expect.stringMatching(/^EMFILE/), 0]);
});

test('an error names what was refused, and not the descriptor that was given', () => {
  const message = told<string>(
    `const child = await nsclone.clone('sleep', ['100'], { stdio: 'ignore' });
     try {
       return await without(() => nsclone.setnsSync(child)).catch((error) => error.message);
     } finally {
       child.kill('SIGKILL');
     }`,
  );
  expect(message).toMatch(/^EMFILE: too many open files, openat \/proc\/thread-self\/fdinfo\/\d+ \(target.pidfd\)/);
});

// Hosts and processes in a bad state: no /proc or a wrong one, no stdio, no descriptors left, no executable memory, a debugger.
import { spawnSync } from 'node:child_process';

import { needing, withCapability } from '../support/capability';
import { compiled, compiler } from '../support/compiled';
import { fewDescriptors } from '../support/few-descriptors';
import { evaluate } from '../support/own-process';

const ends = `
  const { clone, Flags } = nsclone;
  const failure = (promise) => promise.then(() => 'no failure', ({ code, step, syscall }) => ({ code, step, syscall }));
  const sorts = [{ stdio: 'ignore' }, { flags: Flags.NEWPID | Flags.NEWUSER, uidMap: 'root', stdio: 'ignore' }];
  const endsOf = async () => {
    const found = [];
    for (const options of sorts) {
      const quick = await clone('/bin/sh', ['-c', 'exit 6'], options);
      found.push((await quick.exited).code);
      const slow = await clone('/bin/sleep', ['100'], options);
      slow.kill('SIGKILL');
      found.push((await slow.exited).signal);
      found.push((await failure(clone('/no/such', [], options))).code);
    }
    return found;
  };`;
const allEnds = [6, 'SIGKILL', 'ENOENT', 6, 'SIGKILL', 'ENOENT'];

const shell = (script: string, ...unshare: string[]): string[] => [
  'unshare',
  ...unshare,
  '/bin/sh',
  '-c',
  `${script}; exec "$@"`,
  'sh',
];

describe('/proc', () => {
  withCapability(
    'CAP_SYS_ADMIN',
    'of another pid namespace: no map is written for whoever has the number of our child there',
    () => {
      const told = evaluate(
        `const range = [{ containerID: 0, hostID: 0, size: 1 }, { containerID: 1, hostID: 1, size: 1 }];
       const options = { flags: nsclone.Flags.NEWUSER, stdio: 'ignore' };
       const { code, step, option, path, hint } = await nsclone.clone('/bin/true', [], { ...options, uidMap: range }).catch((error) => error);
       const denying = { ...options, uidMap: 'root', gidMap: 'root', setgroups: 'deny' };
       return [{ code, step, option, path, hint }, (await (await nsclone.clone('/bin/true', [], denying)).exited).code];`,
        ['unshare', '--pid', '--fork'],
      );
      expect(told).toEqual([
        {
          code: 'ESRCH',
          step: 'user',
          option: 'uidMap',
          path: '/proc',
          hint: expect.stringContaining("setgroups: 'deny'"),
        },
        0,
      ]);
    },
  );

  // Id maps are files there.
  const noMaps = "sorts[1] = { flags: Flags.NEWPID, stdio: 'ignore' };";

  withCapability('CAP_SYS_ADMIN', 'missing: ends and failures are told all the same', () => {
    expect(evaluate(`${ends} ${noMaps} return endsOf();`, shell('mount -t tmpfs none /proc', '--mount'))).toEqual(
      allEnds,
    );
  });

  withCapability('CAP_SYS_ADMIN', 'of another pid namespace: so are they', () => {
    expect(evaluate(`${ends} ${noMaps} return endsOf();`, ['unshare', '--pid', '--fork'])).toEqual(allEnds);
  });
});

describe('descriptors', () => {
  test('0 to 2 closed: nothing of ours gets their numbers, and they cannot be inherited', () => {
    const result = evaluate(`${ends}
      for (const number of [0, 2]) fs.closeSync(number);
      const inherited = await failure(clone('/bin/true', [], { stdio: ['inherit', 'pipe', 'pipe'] }));
      const found = await endsOf();
      const open = [0, 2].filter((number) => fs.existsSync('/proc/self/fd/' + number));
      const piped = await clone('/bin/sh', ['-c', 'cat; echo out']);
      piped.stdin.end('in ');
      let text = '';
      for await (const part of piped.stdout) text += part;
      return [found, open, text, inherited];`);
    expect(result).toMatchObject([allEnds, [], 'in out\n', { code: 'EBADF', step: 'stdio' }]);
  });

  test('none left in the middle of a start: it goes on when there are some again', () => {
    const result = evaluate(
      `${ends}
      await endsOf();
      const child = clone('/bin/sh', ['-c', 'exit 6'], sorts[1]);
      const taken = [];
      try { for (;;) taken.push(fs.openSync('/dev/null')); } catch (error) { if (error.code !== 'EMFILE') throw error; }
      const refused = await failure(clone('/bin/true'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const number of taken) fs.closeSync(number);
      return [(await (await child).exited).code, refused.code, await endsOf()];`,
      fewDescriptors,
    );
    expect(result).toEqual([6, 'EMFILE', allEnds]);
  });
});

describe('executable memory files forbidden (vm.memfd_noexec)', () => {
  const forbidding = shell('echo 2 > /proc/sys/vm/memfd_noexec', '--pid', '--fork', '--mount-proc');
  const supported = spawnSync(forbidding[0]!, [...forbidding.slice(1), 'true']);
  const can = supported.status === 0 && supported.stderr.length === 0;

  needing(can, 'a pid namespace of ours, and the sysctl vm.memfd_noexec')(
    'the call rejects and names the way out, which works',
    () => {
      const script = `${ends}
      const refused = await failure(clone('/bin/true'));
      const { hint } = await clone('/bin/true').catch((error) => error);
      process.env.NSCLONE_STUB = /set NSCLONE_STUB=(\\S+)$/.exec(hint)[1];
      return [refused, await endsOf()];`;
      expect(evaluate(script, forbidding)).toEqual([
        { code: 'EACCES', step: 'stub', syscall: 'memfd_create' },
        allEnds,
      ]);
    },
  );
});

describe('NSCLONE_STUB', () => {
  test.each([
    ['a file that is missing', '/no/such', 'ENOENT', 'openat'],
    ['a file that is no program', '/etc/passwd', 'EACCES', 'execveat'],
    ['another program', '/bin/true', 'ECHILD', 'execveat'],
  ])('%s: the call rejects, naming it', (_, path, code, syscall) => {
    const script = `
      process.env.NSCLONE_STUB = ${JSON.stringify(path)};
      const error = await nsclone.clone('/bin/true').catch((error) => error);
      return [error.code, error.syscall, error.step, error.path, /must name the program nsclone_stub/.test(error.hint)];`;
    expect(evaluate(script)).toEqual([code, syscall, 'stub', path, true]);
  });
});

describe('a debugger that holds on to an ended child', () => {
  const hold = compiled('robustness/hold-zombie');

  withCapability('CAP_SYS_PTRACE', 'its end is told when the debugger lets go, and Node sleeps until then', () => {
    if (compiler === undefined) return;
    const [code, busy, waited] = evaluate<[number, number, number]>(`${ends}
      const child = await clone('/bin/sh', ['-c', 'read line; exit 6'], { stdio: ['pipe', 'ignore', 'ignore'] });
      const tracer = require('node:child_process').spawn(${JSON.stringify(hold.path)}, [String(child.pid)]);
      await new Promise((resolve, reject) => tracer.stdout.once('data', resolve).once('end', reject));
      const from = performance.now();
      const cpu = process.cpuUsage();
      child.stdin.end('go\\n');
      setTimeout(() => tracer.stdin.end(), 1000);
      const { code } = await child.exited;
      const { user, system } = process.cpuUsage(cpu);
      return [code, (user + system) / 1000, performance.now() - from];`);
    expect(code).toBe(6);
    expect(waited).toBeGreaterThan(900);
    // A loop that is woken all the time takes all of it.
    expect(busy).toBeLessThan(waited / 2);
  });
});

// Filters by names in the kernel itself, against what the interpreter of the other tests says of them.
import { clone, Flags, run, type SeccompProfile } from '../../lib';
import { compileFilter } from '../../lib/seccomp/compile';
import { syscalls } from '../../lib/kernel/syscalls';
import { compiled, withCompiler } from '../support/compiled';
import { leavesNothing } from '../support/leftovers';
import { dockerShaped } from './docker-shaped';
import { argumentsFor, Chance, profileOf } from './generated';
import { callOf, Interpreter } from './interpreter';
import { answerOf } from './reference-lines';

leavesNothing();

/** They take no arguments, so any may be given, and tell what nobody minds. */
const harmless = ['getpid', 'getppid', 'getuid', 'geteuid', 'getgid', 'getegid', 'gettid', 'sched_yield'] as const;
const audit = process.arch === 'arm64' ? 0xc000_00b7 : 0xc000_003e;
const allow = answerOf('SCMP_ACT_ALLOW');
const program = compiled('seccomp/call');

/** What chance has made of these names, with other answers: what would end the program is an error. */
function survivable(chance: Chance): SeccompProfile {
  const { syscalls: rules = [] } = profileOf(chance, harmless, {
    calls: 4,
    alternatives: 3,
    conditions: 3,
    mixed: false,
  });
  const numbers = new Map(harmless.map((name, index) => [name as string, 70 + index]));
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: rules.map(({ names, args }) => ({
      names,
      action: 'SCMP_ACT_ERRNO',
      errnoRet: numbers.get(names[0]!)!,
      args: args ?? [],
    })),
  };
}

withCompiler('the kernel answers as the interpreter does', async () => {
  const chance = new Chance(11);
  let refused = 0;
  for (let i = 0; i < 12; i++) {
    const profile = survivable(chance);
    const filter = new Interpreter(compileFilter(profile));
    const calls = harmless.flatMap((name) =>
      argumentsFor(chance, profile, [name]).map((args) => ({
        name,
        args: args.length === 0 ? [0n, 0n, 0n, 0n, 0n, 0n] : args,
      })),
    );
    const input = calls.map(({ name, args }) => `${syscalls[name]} ${args.join(' ')}\n`).join('');
    const { stdout, code } = await run(program.path, [], { seccomp: profile, input });
    expect(code).toBe(0);
    const wanted = calls.map(({ name, args }) => {
      const answer = filter.answer(callOf(audit, syscalls[name], args));
      return answer === allow ? 0 : answer & 0xffff;
    });
    expect(String(stdout).trim().split('\n').map(Number)).toEqual(wanted);
    refused += wanted.filter((errno) => errno !== 0).length;
    expect(wanted).toContain(0);
  }
  expect(refused).toBeGreaterThan(100);
});

test('a profile of the shape that container engines ship lets a container run, and forbids what it leaves out', async () => {
  const options = {
    flags: Flags.NEWUSER | Flags.NEWPID | Flags.NEWNS,
    uidMap: 'root',
    gidMap: 'root',
    mounts: [{ type: 'proc', target: '/proc' }],
    seccomp: dockerShaped,
  } as const;
  const script = 'ls /proc/self | grep -cx status; unshare --user true 2>/dev/null || echo refused';
  const { stdout } = await run('/bin/sh', ['-c', script], options);
  expect(stdout).toBe('1\nrefused\n');
});

if (process.arch === 'x64') {
  withCompiler('a call by another architecture ends the thread', async () => {
    // By its number x32 is another one.
    const seccomp = { defaultAction: 'SCMP_ACT_ALLOW' } as const;
    const child = await clone(program.path, { seccomp, stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.end(`${0x4000_0000 + syscalls.getpid} 0 0 0 0 0 0\n`);
    expect(await child.exited).toMatchObject({ code: null, signal: 'SIGSYS' });
  });
}

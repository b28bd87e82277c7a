// A /proc is a claim: one of another pid namespace, or a tmpfs with planted files and links in a namespace that was joined,
// is never taken for ours (the class of CVE-2019-16884 and CVE-2019-19921).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Flags } from '../../lib';
import { asRoot, containers, longer } from '../support/attack';
import { rootOnly } from '../support/capability';
import { evaluate } from '../support/own-process';

/** Right, or an error that says what is wrong. */
const itsOwnOr = (reason: RegExp): unknown => expect.stringMatching(new RegExp(`^its own$|${reason.source}`));

describe('under the /proc of another pid namespace', () => {
  /** Beside a process of that namespace, whose pid there is VICTIM. */
  const beside = (command: string): string[] => [
    ...asRoot,
    '/bin/sh',
    '-c',
    `${command} >&2 &
     VICTIM=$!
     export VICTIM
     while [ "$(cat /proc/$VICTIM/comm)" != sleep ]; do :; done
     unshare --pid --fork --kill-child "$@"
     status=$?
     kill -KILL $VICTIM
     exit $status`,
    'sh',
  ];
  const wrappers = {
    'with a name of its own': beside(`unshare --uts /bin/sh -c 'hostname elsewhere; exec sleep ${longer}'`),
    'in the namespaces that we are in': beside(`sleep ${longer}`),
  };
  const wrapped = Object.keys(wrappers) as (keyof typeof wrappers)[];

  /** `ask` gets a child whose pid here is that of somebody else there, and returns a namespace or a name. */
  const answer = (ask: string, other: keyof typeof wrappers): string =>
    evaluate<string>(
      `const { clone, run, Flags, Namespace } = nsclone;
       const victim = Number(process.env.VICTIM);
       const start = async () => {
         // The next pid of our pid namespace. Where this kernel cannot be told, our child has that of some kernel thread.
         try { fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(victim - 1)); } catch {}
         return clone('/bin/sh', ['-c', 'readlink /proc/self/ns/uts; exec cat'], {
           flags: Flags.NEWUTS, hostname: 'inside', stdio: ['pipe', 'pipe', 'inherit'],
         });
       };
       const end = async (child) => { child.kill('SIGKILL'); await child.exited; };
       let child = await start();
       for (let i = 0; i < 50 && child.pid !== victim; i++) {
         await end(child);
         child = await start();
       }
       let own = '';
       for await (const part of child.stdout) {
         own += part;
         if (own.endsWith('\\n')) break;
       }
       // It answers on its own: what it reads is true, as /proc/self is that of whoever follows it.
       own = BigInt(/uts:\\[(\\d+)\\]/.exec(own)[1]);
       const told = async () => {
         const answer = await (async () => { ${ask} })();
         if (answer.stdout !== undefined) return answer.stdout === 'inside\\n' ? 'its own' : 'that of ' + answer.stdout.trim();
         return answer.id === own ? 'its own' : 'that of somebody else';
       };
       const result = await told().catch((error) => String(error));
       await end(child);
       return result;`,
      wrappers[other],
    );

  const named = /\/proc\b/;

  describe.each(wrapped)('in which our child has the number of a process %s', (other) => {
    test.each([
      ['namespace() of a child', "return child.namespace('uts');"],
      ['Namespace.open() of a child', "return Namespace.open(child, 'uts');"],
      ['Namespace.open() of a pid', "return Namespace.open(child.pid, 'uts');"],
    ])('%s is that of the child, or an error that names /proc', (_, ask) => {
      expect(answer(ask, other)).toEqual(itsOwnOr(named));
    });

    test.each([
      ['a child', 'child'],
      ['a pid', '{ pid: child.pid }'],
      ['one kind of a pid', '{ pid: child.pid, flags: Flags.NEWUTS }'],
      ['a pidfd', '{ pidfd: child.pidfd }'],
    ])('join of %s enters what the child is in, or is an error that names /proc', (_, target) => {
      expect(answer(`return run('/bin/uname', ['-n'], { join: ${target} });`, other)).toEqual(itsOwnOr(named));
    });

    test('a held child is joined, or is an error that names /proc', () => {
      const ask = `await end(child);
        // The number is free again.
        fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(victim - 1));
        const options = { flags: Flags.NEWUTS, hostname: 'inside', hold: true, stdio: 'ignore' };
        const held = await clone('/bin/true', options);
        try { return await run('/bin/uname', ['-n'], { join: held }); } finally { await end(held); }`;
      expect(answer(ask, other)).toEqual(itsOwnOr(named));
    });
  });
});

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nsclone-bystander-'));
});
beforeEach(() => writeFileSync(join(folder, 'file'), 'untouched'));
afterAll(() => rmSync(folder, { recursive: true }));

const names = [
  'sys/net/ipv4/ip_default_ttl',
  'self/uid_map',
  'self/gid_map',
  'self/setgroups',
  'self/timens_offsets',
  'self/oom_score_adj',
  'thread-self/attr/exec',
  'thread-self/attr/apparmor/exec',
];
const folders = 'mkdir -p /proc/sys/net/ipv4 /proc/self /proc/thread-self/attr/apparmor';

/** What is planted, in shell. `$bystander` is a file that must stay as it is. */
const plants: Record<string, string> = {
  'nothing in it': ':',
  'files in it': `${folders}; for name in ${names.join(' ')}; do echo planted > /proc/$name; done`,
  'links in it': `${folders}; for name in ${names.join(' ')}; do ln -s $bystander /proc/$name; done`,
  'links to other parameters in it': `${folders}
    for name in ${names.join(' ')}; do ln -s /mnt/proc/sys/kernel/domainname /proc/$name; done`,
  'links for its folders': `mkdir /mnt/there /mnt/there/ipv4; mkdir /proc/sys
    ln -s /mnt/there /proc/sys/net; ln -s /mnt/there /proc/self; ln -s /mnt/there /proc/thread-self
    for name in ${names.join(' ')}; do
      case $name in sys/*) echo planted > /mnt/there/ipv4/\${name##*/};; *) echo planted > /mnt/there/\${name##*/};; esac
    done`,
  'pipes in it': `${folders}; for name in ${names.join(' ')}; do mkfifo /proc/$name; done`,
};

const cover = (plant: string): string => `set -e
  bystander=${folder}/file
  mount -t tmpfs none /mnt
  mkdir /mnt/proc
  mount --rbind /proc /mnt/proc
  mount -t tmpfs none /proc
  ${plants[plant]!}
  exec "$@"`;

/** What a child is told, and how it tells that it is so; /mnt/proc is a true one. */
const requests = {
  sysctl: {
    options: { flags: Flags.NEWNET, sysctl: { 'net.ipv4.ip_default_ttl': '77' } },
    script: '[ "$(cat /mnt/proc/sys/net/ipv4/ip_default_ttl)" = 77 ]',
  },
  timeOffsets: {
    options: { flags: Flags.NEWTIME, timeOffsets: { boottime: { seconds: 50_000_000 } } },
    script: 'read up idle < /mnt/proc/uptime; [ ${up%.*} -gt 50000000 ]',
  },
  'id maps': {
    options: { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root', setgroups: 'deny' },
    script: `set -- $(cat /mnt/proc/self/uid_map); [ "$1 $3" = "0 1" ]
      set -- $(cat /mnt/proc/self/gid_map); [ "$1 $3" = "0 1" ]
      [ "$(cat /mnt/proc/self/setgroups) $(id -u) $(id -g)" = "deny 0 0" ]`,
  },
  oomScoreAdj: {
    options: { oomScoreAdj: 777 },
    script: '[ "$(cat /mnt/proc/self/oom_score_adj)" = 777 ]',
  },
  // Most hosts have one of these modules, or none: what is not there must be refused.
  selinuxLabel: {
    options: { selinuxLabel: 'system_u:system_r:container_t:s0' },
    script: '[ "$(cat /mnt/proc/self/attr/current)" = system_u:system_r:container_t:s0 ]',
  },
  apparmorProfile: {
    options: { apparmorProfile: 'unconfined' },
    script: '[ "$(cat /mnt/proc/self/attr/apparmor/current)" = unconfined ]',
  },
} as const;
type Request = keyof typeof requests;

interface Outcome {
  /** 'done', 'not done', or the code of the refusal. */
  readonly outcome: string;
  /** The planted files that were changed. */
  readonly changed: string[];
}

/** In a script: asks a child, with more options, and looks at the planted files by `look`, a shell command in `children`. */
const asking = (request: Request, more: string, where: string): string => `
  const request = ${JSON.stringify(requests[request])};
  const more = ${more};
  const start = () => nsclone.clone('/bin/sh', ['-ec', request.script], { stdio: 'ignore', timeout: slow(8000), ...request.options, ...more });
  const ended = async (child) => ((await child.exited).code === 0 ? 'done' : 'not done');
  const outcome = await start().then(ended, (error) => error.code);
  const look = 'cd /proc; for name in ${names.join(' ')}; do if [ -f $name ] && [ ! -L $name ] && [ "$(cat $name)" != planted ]; then echo $name; fi; done;'
    + ' cat /mnt/proc/sys/kernel/domainname';
  const { stdout } = await nsclone.run('/bin/sh', ['-c', look], ${where});
  const changed = stdout.split('\\n').filter((line) => line !== '' && line !== 'untouched');`;

const fine: unknown = {
  // No answer is none: what waits for a pipe that was planted has been led astray too.
  outcome: expect.stringMatching(/^(?:done|E(?!TIMEDOUT)[A-Z]+)$/),
  changed: [],
};

for (const [root, container] of Object.entries(containers)) {
  describe(`in the mount namespace of a container whose root, ${root}, has a tmpfs on /proc`, () => {
    /** Node is root of what it joins, as an ordinary user in a user namespace of its own. */
    const outcome = (request: Request, plant: string): Outcome =>
      evaluate<Outcome>(
        `const { clone, Flags } = nsclone;
         const container = { ...${JSON.stringify(container)}, flags: ${container.flags | Flags.NEWUTS}, domainname: 'untouched' };
         const argv = ['-c', ${JSON.stringify(cover(plant))}, 'sh', '/bin/sh', '-c', 'echo ready; exec cat'];
         const other = await clone('/bin/sh', argv, { ...container, stdio: ['pipe', 'pipe', 'inherit'] });
         const ready = await new Promise((resolve) => other.stdout.once('data', resolve).once('end', () => resolve('')));
         if (String(ready) !== 'ready\\n') throw new Error('the container has failed');
         // A new user namespace is not made beside one that is joined.
         const kinds = ${request === 'id maps'} ? Flags.NEWNS | Flags.NEWPID | Flags.NEWUTS : undefined;
         const join = kinds === undefined ? other : { pid: other.pid, flags: kinds };
         ${asking(request, '{ join }', '{ join: other }')}
         other.kill('SIGKILL');
         await other.exited;
         return { outcome, changed };`,
        asRoot,
      );

    for (const request of [
      'sysctl',
      'timeOffsets',
      'id maps',
      'oomScoreAdj',
      'selinuxLabel',
      'apparmorProfile',
    ] as const) {
      test.each(Object.keys(plants))(
        `with %s: ${request} take effect or reject, and nothing planted is written`,
        (plant) => {
          expect(outcome(request, plant)).toEqual(fine);
          expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('untouched');
        },
      );
    }
  });
}

describe('in the mount namespace of a container whose /proc is true, but for a folder that its root has covered', () => {
  const cover = {
    '/proc/sys': 'mkdir /proc/sys/kernel; echo planted > /proc/sys/kernel/msgmax',
    '/proc/sys/kernel': 'echo planted > /proc/sys/kernel/msgmax',
  };
  const cases = Object.entries(containers).flatMap(([root, container]) =>
    Object.entries(cover).map(([path, plant]) => [root, path, plant, container] as const),
  );

  test.each(cases)(
    '%s, %s: sysctl take effect or reject, and nothing planted is written',
    (_, path, plant, container) => {
      const script = `mount -t tmpfs none /mnt; mkdir /mnt/proc; mount --bind /proc /mnt/proc; mount -t tmpfs none ${path}; ${plant}
      echo ready; exec cat`;
      const found = evaluate<{ outcome: string; planted: string }>(
        `const { clone, run, Flags } = nsclone;
       const container = ${JSON.stringify(container)};
       const other = await clone('/bin/sh', ['-ec', ${JSON.stringify(script)}], { ...container, stdio: ['pipe', 'pipe', 'inherit'] });
       const ready = await new Promise((resolve) => other.stdout.once('data', resolve).once('end', () => resolve('')));
       if (String(ready) !== 'ready\\n') throw new Error('the container has failed');
       const command = ['-c', '[ "$(cat /mnt/proc/sys/kernel/msgmax)" = 4321 ]'];
       const options = { join: other, flags: Flags.NEWIPC, sysctl: { 'kernel.msgmax': '4321' } };
       const ended = ({ code }) => (code === 0 ? 'done' : 'not done');
       const outcome = await run('/bin/sh', command, options).then(ended, (error) => error.code);
       const planted = (await run('/bin/cat', ['/proc/sys/kernel/msgmax'], { join: other })).stdout.trim();
       other.kill('SIGKILL');
       await other.exited;
       return { outcome, planted };`,
        asRoot,
      );
      expect(found).toEqual({ outcome: expect.stringMatching(/^(?:done|E[A-Z]+)$/), planted: 'planted' });
    },
  );
});

describe('where Node itself has a tmpfs on /proc', () => {
  const covered = (plant: string): string[] => [
    'unshare',
    ...asRoot.slice(1),
    '--mount',
    '--uts',
    '/bin/sh',
    '-c',
    `domainname untouched; ${cover(plant)}`,
    'sh',
  ];

  for (const request of [
    'sysctl',
    'timeOffsets',
    'id maps',
    'oomScoreAdj',
    'selinuxLabel',
    'apparmorProfile',
  ] as const) {
    test.each(Object.keys(plants))(
      `with %s: ${request} take effect or reject, and nothing planted is written`,
      (plant) => {
        const found = evaluate(
          `${asking(request, '{}', '{}')}
         return { outcome, changed };`,
          covered(plant),
        );
        expect(found).toEqual(fine);
        expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('untouched');
      },
    );
  }
});

describe('of a Node that is in very many groups', () => {
  rootOnly('/proc is known for ours', () => {
    const groups = Array.from({ length: 2000 }, (_, index) => 1_000_000 + index).join();
    const script = `const child = await nsclone.clone('/bin/sleep', ['5'], { stdio: 'ignore' });
      const { code } = await nsclone.run('/bin/true', [], { join: { pid: child.pid } });
      child.kill('SIGKILL');
      return code;`;
    expect(evaluate(script, ['setpriv', '--groups', groups])).toBe(0);
  });
});

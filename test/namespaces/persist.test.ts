// persist(): a namespace kept by a bind mount, beside what ip-netns(8) does.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Flags, Namespace } from '../../lib';
import { rootOnly, userOnly } from '../support/capability';
import { leavesNothing } from '../support/leftovers';
import { evaluate } from '../support/own-process';
import { refusal } from '../support/refusal';
import { slow } from '../support/slow';

leavesNothing();

const { NEWNET, NEWNS, NEWPID, NEWUTS } = Flags;

/** In a mount namespace with a /run of its own, whose mounts are shared with those made of it, as systemd has it. */
const inPrivateRun = [
  // The kernel numbers mount namespaces by processor, and takes the higher number for the younger one.
  'taskset',
  '--cpu-list',
  /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!,
  'unshare',
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs private /run && mount --make-shared /run && exec "$@"',
  'sh',
];

/** `sh(script)` returns what it prints; `told(function)` the fields of its error. */
function onHost<T>(script: string): T {
  return evaluate<T>(
    `const { execFileSync } = require('node:child_process');
     const { createNamespaces, Flags, Namespace, run, clone, record } = nsclone;
     const sh = (script) => execFileSync('sh', ['-ec', script], { encoding: 'utf8' }).trimEnd();
     const told = (attempt) => {
       try { attempt(); return null; } catch ({ code, syscall, option, path, hint, message }) {
         return { code, syscall, option, path, hint, message }; } };
     ${script}`,
    inPrivateRun,
  );
}

describe('persist', () => {
  rootOnly('ip netns lists, enters, identifies and deletes what was kept in its folder', () => {
    const told = onHost<string[]>(
      `const set = await createNamespaces(${NEWNET}, { loopback: true });
       set.net.persist('/run/netns/blue');
       const id = set.net.id;
       set.close();
       const { stdout } = await run('ip', ['netns', 'identify'], { join: '/run/netns/blue' });
       return [
         sh('ip netns list'),
         sh('ip netns exec blue readlink /proc/self/ns/net') === 'net:[' + id + ']',
         sh('ip -n blue -brief address show lo').replaceAll(/ +/g, ' '),
         stdout.trim(),
         sh('ip netns delete blue; ip netns list; ls /run/netns'),
       ];`,
    );
    expect(told).toEqual(['blue', true, 'lo UNKNOWN 127.0.0.1/8 ::1/128', 'blue', '']);
  });

  rootOnly('what ip netns has made is opened, joined and listed', () => {
    const told = onHost<unknown[]>(
      `sh('ip netns add red; ip -n red link set lo up');
       using(Namespace.open('/run/netns/red', 'net'));
       function using(one) { globalThis.id = one.id; one.close(); }
       const { stdout } = await run('sh', ['-c', 'readlink /proc/self/ns/net; cat /sys/class/net/lo/operstate'], { join: '/run/netns/red' });
       const listed = Namespace.list().filter(({ paths }) => paths.includes('/run/netns/red')).map(({ id, processes }) => [id === globalThis.id, processes]);
       return [stdout.split('\\n')[0] === 'net:[' + globalThis.id + ']', listed];`,
    );
    expect(told).toEqual([true, [[true, 0]]]);
  });

  rootOnly('the folder becomes what ip netns makes of it: one shared mount, whichever of both comes first', () => {
    for (const [first, second] of [
      [`set.net.persist('/run/netns/one')`, `sh('ip netns add two')`],
      [`sh('ip netns add two')`, `set.net.persist('/var/run/netns/one')`],
    ]) {
      const told = onHost<unknown[]>(
        `const set = await createNamespaces(${NEWNET});
         ${first}; ${second};
         const lines = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').map((line) => line.split(' '));
         // Not that of the host, which lies below the /run that is private.
         const [own] = lines.findLast(([, , , , path]) => path === '/run');
         const mounts = lines.filter(([, parent, , , path]) => parent === own && path === '/run/netns').map((line) => line.join(' '));
         return [mounts.length, / shared:\\d+ /.test(mounts[0]), sh('ip netns list | cut -d" " -f1 | sort'), fs.statSync('/run/netns').mode & 0o777];`,
      );
      expect(told).toEqual([1, true, 'one\ntwo', 0o755]);
    }
  });

  rootOnly('a mount namespace that was made of ours sees it, and sees it go', () => {
    const told = onHost<string[]>(
      `const other = await clone('cat', [], { flags: ${NEWNS}, propagation: 'slave', stdio: ['pipe', 'ignore', 'inherit'] });
       const set = await createNamespaces(${NEWNET});
       set.net.persist('/run/netns/seen');
       const there = async (command) => (await run('sh', ['-c', command], { join: { pid: other.pid, flags: ${NEWNS} } })).stdout.trim();
       const seen = [await there('ip netns exec seen readlink /proc/self/ns/net') === 'net:[' + set.net.id + ']'];
       sh('ip netns delete seen');
       seen.push(await there('ls /run/netns'));
       other.kill('SIGKILL');
       await other.exited;
       return seen;`,
    );
    expect(told).toEqual([true, '']);
  });

  rootOnly('any kind is kept at any path, and taken away by umount and rm, or by a recorded child', () => {
    const told = onHost<unknown[]>(
      `const set = await createNamespaces(${NEWUTS | NEWNS}, { hostname: 'kept' });
       set.uts.persist('/run/uts');
       set.mnt.persist('/run/mnt');
       process.chdir('/run');
       set.uts.persist('relative');
       const { uts: { id: uts }, mnt: { id: mnt } } = set;
       set.close();
       const names = [(await run('hostname', { join: '/run/uts' })).stdout.trim(), (await run('hostname', { join: ['/run/relative', '/run/mnt'] })).stdout.trim()];
       sh('umount /run/uts; rm /run/uts');
       const away = await clone(record((c) => { c.umount2('/run/relative'); c.unlinkat(-100, '/run/relative'); }), { flags: Flags.VM });
       await away.exited;
       const isThere = (kind, id) => Namespace.list().some((one) => one.kind === kind && one.id === id);
       // Its number is the next one's of anybody, who goes again.
       for (const end = Date.now() + ${slow(10_000)}; isThere('uts', uts) && Date.now() < end;) await new Promise((done) => setTimeout(done, 50));
       return [...names, ['uts', 'relative', 'mnt'].filter((name) => fs.existsSync('/run/' + name)).join(), isThere('uts', uts), isThere('mnt', mnt)];`,
    );
    expect(told).toEqual(['kept', 'kept', 'mnt', false, true]);
  });

  rootOnly('two namespaces that were kept, and traffic between them', () => {
    const told = onHost<string>(
      `const [a, b] = [await createNamespaces(${NEWNET}), await createNamespaces(${NEWNET})];
       a.net.persist('/run/netns/a');
       b.net.persist('/run/netns/b');
       sh(\`ip -n a link add left type veth peer name right netns b
           ip -n a address add 10.7.0.1/24 dev left; ip -n b address add 10.7.0.2/24 dev right
           ip -n a link set left up; ip -n b link set right up\`);
       a.close(); b.close();
       const server = await clone(process.execPath, ['-e', \`require('net').createServer((socket) => socket.end('from b'))
         .listen(7000, '10.7.0.2', () => console.log('listening'))\`], { join: '/run/netns/b', stdio: ['ignore', 'pipe', 'inherit'] });
       await new Promise((resolve) => server.stdout.once('data', resolve));
       const { stdout } = await run(process.execPath, ['-e', \`require('net').connect(7000, '10.7.0.2').on('data', (text) => process.stdout.write(text))\`],
         { join: '/run/netns/a' });
       server.kill('SIGKILL');
       await server.exited;
       return stdout;`,
    );
    expect(told).toBe('from b');
  });

  rootOnly('what is there already is refused, and stays: as ip netns refuses it', () => {
    const told = onHost<Record<string, unknown>[]>(
      `const set = await createNamespaces(${NEWNET});
       sh('mkdir /run/folder; echo text >/run/file; ln -s /run/nowhere /run/link; ip netns add taken');
       const paths = ['/run/folder', '/run/file', '/run/link', '/run/netns/taken', '/', '/run/..'];
       const refused = paths.map((path) => told(() => set.net.persist(path)));
       const ip = told(() => sh('ip netns add taken 2>/dev/null'));
       return [...refused, { text: sh('cat /run/file; readlink /run/link; ip netns list'), ip: ip !== null, nowhere: fs.existsSync('/run/nowhere') }];`,
    );
    expect(told.pop()).toEqual({ text: 'text\n/run/nowhere\ntaken', ip: true, nowhere: false });
    for (const error of told) {
      expect(error).toMatchObject({ code: 'EEXIST', syscall: 'openat', option: 'path' });
      expect(error['hint']).toMatch(/^something is there already/);
    }
  });

  rootOnly('a mount namespace is not kept in itself, nor in a younger one, and no file is left', () => {
    const told = onHost<Record<string, unknown>[]>(
      `const older = Namespace.current('mnt');
       nsclone.unshareSync(${NEWNS});
       const refused = [told(() => Namespace.current('mnt').persist('/run/self')), told(() => older.persist('/run/older'))];
       return [...refused, { left: sh('ls /run') }];`,
    );
    expect(told.pop()).toEqual({ left: '' });
    for (const error of told) expect(error).toMatchObject({ syscall: 'move_mount', option: 'path' });
    expect(told.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^E(LOOP|INVAL): a mount namespace cannot be kept in itself, move_mount \/run\/self \(path\)$/,
      ),
      expect.stringMatching(
        /^E(LOOP|INVAL): a mount namespace cannot be kept in one that was made after it, move_mount/,
      ),
    ]);
  });

  rootOnly('a folder that is missing, or none', () => {
    const told = onHost<Record<string, unknown>[]>(
      `const set = await createNamespaces(${NEWUTS});
       sh('touch /run/file');
       return ['/run/no/uts', '/run/netns/uts', '/run/file/uts', '/proc/uts'].map((path) => told(() => set.uts.persist(path)));`,
    );
    expect(told).toMatchObject([
      { code: 'ENOENT', syscall: 'openat', path: '/run/no/uts', hint: 'its folder is missing' },
      // It is made for network namespaces alone.
      { code: 'ENOENT', syscall: 'openat', path: '/run/netns/uts', hint: 'its folder is missing' },
      { code: 'ENOTDIR', syscall: 'openat', path: '/run/file/uts' },
      { code: 'ENOENT', syscall: 'openat', path: '/proc/uts', hint: 'nobody can make a file in its folder' },
    ]);
  });

  rootOnly('a lock that ip netns has on its folder is waited for, and not for ever', () => {
    const told = onHost<Record<string, unknown>[]>(
      `const set = await createNamespaces(${NEWNET});
       sh('mkdir /run/netns');
       const holder = await clone('flock', ['/run/netns', 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
       await new Promise((resolve) => holder.stdout.once('data', resolve));
       const late = told(() => set.net.persist('/run/netns/late'));
       const left = sh('ls /run/netns');
       holder.stdin.end();
       await holder.exited;
       set.net.persist('/run/netns/late');
       return [late, { left, later: sh('ls /run/netns') }];`,
    );
    expect(told).toMatchObject([
      { code: 'EAGAIN', syscall: 'flock' },
      { left: '', later: 'late' },
    ]);
  });

  rootOnly('a pid namespace whose init is gone is kept, and nobody can be born there', () => {
    const told = onHost<unknown[]>(
      `const child = await clone('cat', [], { flags: ${NEWPID}, stdio: ['pipe', 'ignore', 'inherit'] });
       const pid = child.namespace('pid');
       child.kill('SIGKILL');
       await child.exited;
       pid.persist('/run/pid');
       pid.close();
       const error = await run('true', { join: '/run/pid' }).catch((reason) => reason);
       return [error.code, error.hint];`,
    );
    expect(told).toEqual([
      'ENOMEM',
      'the pid 1 of the pid namespace that was joined has ended: no process can be born there any more',
    ]);
  });

  rootOnly('a mount namespace in a folder that passes mounts on: what is in the way, and not another cause', () => {
    const told = evaluate<string[]>(
      `const shell = (script) => require('node:child_process').execFileSync('sh', ['-ec', script], { cwd: '/run' });
       shell('mkdir a b; mount --bind a a; mount --make-shared a; mount --bind a b');
       const set = await nsclone.createNamespaces(nsclone.Flags.NEWNS);
       try { set.mnt.persist('/run/a/mnt'); return []; } catch ({ code, message, hint }) { return [code, message, hint]; }`,
      inPrivateRun,
    );
    expect(told).toEqual([
      'EINVAL',
      expect.stringContaining('its folder is on a shared mount'),
      expect.stringContaining('mount --make-private /run/a'),
    ]);
  });

  test.each(['', 'a\0b'])('refuses %p', (path) => {
    const namespace = Namespace.current('net');
    expect(() => namespace.persist(path)).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'path'));
    namespace.close();
  });
  test('refuses what is no path, and a closed namespace', () => {
    const namespace = Namespace.current('net');
    for (const path of [5, null, undefined, {}])
      expect(() => namespace.persist(path as never)).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'path'));
    namespace.close();
    expect(() => namespace.persist('/run/x')).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'fstat' }));
  });

  userOnly('without the right to mount: the reason, and no file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-test-'));
    const namespace = Namespace.current('net');
    expect(() => namespace.persist(join(folder, 'net'))).toThrow(
      expect.objectContaining({
        code: 'EPERM',
        syscall: 'open_tree',
        option: 'path',
        path: join(folder, 'net'),
        hint: 'needs CAP_SYS_ADMIN in the user namespace that owns our mount namespace',
      }),
    );
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync('/run/netns/spaces')).toBe(false);
    namespace.close();
    rmdirSync(folder);
  });

  test('an ordinary user keeps them in a mount namespace of his own', () => {
    const told = evaluate<string[]>(
      `const set = await nsclone.createNamespaces(${NEWNET | NEWUTS}, { hostname: 'kept' });
       require('node:child_process').execFileSync('mount', ['-t', 'tmpfs', 'mine', '/mnt']);
       set.uts.persist('/mnt/uts');
       set.close();
       return [(await nsclone.run('hostname', { join: '/mnt/uts' })).stdout.trim()];`,
      ['unshare', '--user', '--map-root-user', '--mount'],
    );
    expect(told).toEqual(['kept']);
  });
});

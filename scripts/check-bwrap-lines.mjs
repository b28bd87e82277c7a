// Starts generated command lines with /usr/bin/bwrap and with `nsclone bwrap`, and compares what they end with, what they say, and what
// the command sees. Arguments: the seed, how many lines, and `-v` for all that differs.
//
// Root does it in a mount namespace of its own in which nothing can be written but a temporary folder: what a line makes through one of
// its binds would be on the host. All mounts are shared there, as systemd has them.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { given, lines } from './bwrap-lines.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [seed = 1, count = 500] = process.argv
  .slice(2)
  .filter((text) => /^\d+$/.test(text))
  .map(Number);
const isVerbose = process.argv.includes('-v');
const longest = 60_000;

/** What the command sees; each part under its heading. */
const look = `
echo "= descriptors"; ls -l /proc/self/fd
exec 2>&-
echo "= folder"; pwd
echo "= status"; while read -r name value; do case $name in
  Uid:|Gid:|Groups:|Cap*|NoNewPrivs:|Seccomp*|SigIgn:|SigBlk:|Umask:|NSpid:|NSsid:) echo "$name $value" ;; esac; done < /proc/self/status
echo "= maps"; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
echo "= mounts"; cat /proc/self/mountinfo
echo "= namespaces"; ls -l /proc/self/ns
echo "= environment"; env
echo "= limits"; ulimit -n; ulimit -Hn; hostname
echo "= files"; ls -ldn / /dev/null /dev/console /dev/core /dev/fd /dev/ptmx /dev/pts /dev/shm /dev/std* /dev/mqueue \
  /tmp /tmp/a /tmp/a/b /tmp/a/x /tmp/args /tmp/c /tmp/c/d /tmp/c/d/e /tmp/dev /tmp/dev/* /tmp/f /tmp/g /tmp/h /tmp/link /tmp/proc \
  /tmp/queue /run/x /nowhere /nowhere/* /bin "$0" "$0"/* "$0"/dir/*
cat /tmp/a /tmp/a/b /tmp/c/d/e /tmp/g /tmp/h /run/x /nowhere
echo "= processes"; echo /proc/[0-9]*
`;

const guarded = 'BWRAP_LINES_GUARDED';
if (process.getuid() === 0 && process.env[guarded] === undefined) {
  const script = `set -e
    mount -t tmpfs tmpfs /var/tmp
    mount -o remount,bind,ro /
    mount --make-rshared /
    exec "$@"`;
  const again = [process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [guarded]: 'yes' },
  });
  process.exit(status ?? 1);
}

const folder = mkdtempSync('/var/tmp/bwrap-lines-');
chmodSync(folder, 0o755);
const files = join(folder, 'files');
const bin = join(folder, 'bin');
mkdirSync(bin);
symlinkSync(join(root, 'dist/lib/cli.js'), join(bin, 'bwrap'));
const commands = { real: '/usr/bin/bwrap', ours: join(bin, 'bwrap') };

/** Allows everything: LD of the number, RET ALLOW. */
const filter = Buffer.from('20000000000000000600000000' + '00ff7f', 'hex');

function lay() {
  rmSync(files, { recursive: true, force: true });
  mkdirSync(join(files, 'dir/inner'), { recursive: true });
  writeFileSync(join(files, 'dir/x'), 'x\n');
  writeFileSync(join(files, 'file'), 'file\n');
  symlinkSync('dir', join(files, 'link'));
  symlinkSync('nothing', join(files, 'dead'));
  const content = {
    text: 'text\n',
    empty: '',
    args: '--dir\0/tmp/args\0--setenv\0ARGS\0yes\0',
    wrongArgs: '--dir\0',
    filter,
    wrongFilter: 'abc',
    info: '',
    json: '',
    ready: 'x',
  };
  for (const [name, bytes] of Object.entries(content)) writeFileSync(join(folder, name), bytes);
}

/** @returns code, what was said and what was seen */
async function start(command, line) {
  lay();
  const stdio = ['ignore', 'pipe', 'pipe'];
  for (const [name, descriptor] of Object.entries(given))
    stdio[descriptor] = openSync(join(folder, name), name === 'info' || name === 'json' ? 'w' : 'r');
  const child = spawn(command, line, {
    stdio,
    cwd: files,
    detached: true,
    env: { PATH: '/usr/bin:/bin:/usr/sbin', HOME: '/usr', LANG: 'C', FOO: 'foo', NODE_OPTIONS: '' },
  });
  stdio.slice(3).forEach((descriptor) => closeSync(descriptor));
  const [output, problems] = [[], []];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => problems.push(chunk));
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), longest);
  const [code, signal] = await new Promise((resolve) => child.once('close', (...end) => resolve(end)));
  clearTimeout(timer);
  const tell = (name) => readFileSync(join(folder, name), 'utf8').replaceAll(/\d{3,}/g, 'N');
  return {
    code: code ?? signal,
    // Its usage is in words of its own, and of the options of another version.
    problems: Buffer.concat(problems)
      .toString()
      .replace(/^usage: \S+ [^]*/, 'usage\n'),
    output: Buffer.concat(output).toString(),
    info: tell('info'),
    json: tell('json'),
  };
}

const ownNamespaces = Object.fromEntries(
  ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'].map((kind) => [
    kind,
    spawnSync('readlink', [`/proc/self/ns/${kind}`])
      .stdout.toString()
      .trim(),
  ]),
);

/** A line of one of the parts without what is another one in each run. */
const plain = {
  mounts(line) {
    const [, , , top, target, attributes, ...rest] = line.split(' ');
    if (target === undefined) return '';
    const at = rest.indexOf('-');
    const kinds = rest.slice(0, at).map((field) => field.replace(/\d+/, ''));
    const [, type, , what = ''] = rest.slice(at);
    // What a file system is called, and the root: a tmpfs of its own, or a folder of one. A file of ours is none of it.
    const isRoot = target === '/' && type === 'tmpfs';
    const isFile = /^\/(bindfile\w+(\/\/deleted)?|file)$/.test(top);
    return [isRoot ? '/' : isFile ? '/file' : top, target, attributes, ...kinds, type, isRoot ? '' : what].join(' ');
  },
  namespaces(line) {
    const [, kind, link] = /(\w+) -> (.*)$/.exec(line) ?? [];
    return kind === undefined ? '' : `${kind} ${link === ownNamespaces[kind] ? 'ours' : 'new'}`;
  },
  status: (line) =>
    line.replace(
      /^(NSpid|NSsid):.*/,
      (text) => `${text.split(/\s+/).length} ${/NSpid/.test(text) ? 'NSpid' : 'NSsid'}`,
    ),
  descriptors: (line) => (/\d+ -> .*/.exec(line)?.[0] ?? '').replace(/(socket|pipe):.*|\/proc\/.*/, '$1'),
  // Without the number of links, sizes of folders and the time.
  files: (line) =>
    line.replace(
      /^(.{10}) +\d+ +(\d+ +\d+) +(.*?) +\w{3} +\d+ +[\d:]+ (?=[^ ])/,
      (_, mode, ids, size) => `${mode} ${ids} ${mode.startsWith('d') ? '' : size} `,
    ),
  // Of the machine there are more and less.
  processes: (line) =>
    line
      .split(' ')
      .length.toString()
      .replace(/^\d\d+$/, 'many'),
};

function parts(output) {
  const found = {};
  let name = '';
  for (const line of output.split('\n')) {
    if (line.startsWith('= ')) name = line.slice(2);
    else (found[name] ??= []).push(line);
  }
  // What is covered by another one is seen by nobody. Numbers are in the order in which mounts were made, not put there.
  const { mounts } = found;
  const fields = mounts?.map((line) => line.split(' '));
  if (mounts !== undefined)
    found.mounts = mounts.filter((line) => {
      const [id, , , , target] = line.split(' ');
      return !fields.some(([, parent, , , other]) => parent === id && other === target);
    });
  for (const part of Object.keys(found)) found[part] = found[part].map((line) => (plain[part] ?? String)(line));
  return found;
}

/** What is different in them, by the name of the part. */
function differences(real, ours) {
  const found = [];
  const compare = (name, one, other) => {
    if (one !== other) found.push({ name, real: one, ours: other });
  };
  compare('code', real.code, ours.code);
  compare('message', real.problems, ours.problems);
  // Of what could not be set up, there is nothing that ours could tell.
  if (real.code === 0 || ours.info !== '') compare('info', real.info, ours.info);
  if (real.code === 0 || ours.json !== '') compare('json', real.json, ours.json);
  const [seen, other] = [parts(real.output), parts(ours.output)];
  for (const name of new Set([...Object.keys(seen), ...Object.keys(other)])) {
    const [one = [], two = []] = [seen[name], other[name]];
    const lost = one.filter((line) => !two.includes(line));
    const more = two.filter((line) => !one.includes(line));
    if (lost.length + more.length > 0) compare(name, lost.join('\n'), more.join('\n'));
    else if (name !== 'environment' && name !== 'mounts') compare(`order of ${name}`, one.join('\n'), two.join('\n'));
  }
  return found;
}

/** Since 0.9 a link that is there and says the same is nothing to do. */
const isNewer = (real, ours) => /symlink at .*: File exists/.test(real.problems) && real.problems !== ours.problems;

const command = ['sh', '-c', look, files];
let same = 0;
let started = 0;
let newer = 0;
const counts = new Map();
try {
  let index = 0;
  const only = process.env.ONLY;
  for (const line of lines(seed, count, files, command)) {
    index++;
    if (only !== undefined && Number(only) !== index) continue;
    const real = await start(commands.real, line);
    const ours = await start(commands.ours, line);
    if (real.code === 0) started++;
    if (isNewer(real, ours)) {
      newer++;
      continue;
    }
    const found = differences(real, ours);
    if (found.length === 0) same++;
    else if (isVerbose) {
      console.log(
        `\n# ${index}: ${line
          .filter((text) => text !== look)
          .map((text) => JSON.stringify(text))
          .join(' ')}`,
      );
      for (const { name, real: one, ours: two } of found) console.log(`- ${name}\n  bwrap: ${one}\n  ours:  ${two}`);
    }
    for (const { name } of found) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  `seed ${seed}: ${same} of ${count} lines are the same; ${started} of them start the command, ${newer} are of a newer bwrap`,
);
for (const [name, times] of counts) console.log(`  ${name}: ${times}`);
// In which order two mistakes are told is not compared.
counts.delete('message');
if (counts.size > 0) process.exitCode = 1;

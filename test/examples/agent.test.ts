// The example `agent`: what a command may change and see of files, whom it reaches, how it ends, and what is left of it.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { ownInterfaces } from '../support/inside';
import { needing } from '../support/capability';
import { root as checkout } from '../support/own-process';
import { inTime, slow, until } from '../support/slow';
import { buildExamples, example } from './built';

/** A Node that the command sees: it does not see ours where that is in a folder that is hidden. */
const node = [process.execPath, '/usr/local/bin/node', '/usr/bin/node'].find(
  (file) => existsSync(file) && ![tmpdir(), homedir()].some((folder) => realpathSync(file).startsWith(`${folder}/`)),
);
const withNode = needing(node !== undefined, 'a Node outside of the folders that are hidden');

/** A home folder with a project in it, both of the user that the tests run as. */
let home = '';
let project = '';
/** Where changes are on trial. */
let layers = '';

beforeAll(buildExamples);
function makeProject(): void {
  for (const name of ['kept/below', 'gone', 'remade']) mkdirSync(join(project, name), { recursive: true });
  for (const file of ['file', 'kept/below/file', 'kept/other', 'gone/file', 'remade/old'])
    writeFileSync(join(project, file), `${file}\n`);
  symlinkSync('/etc', join(project, 'link'));
}

beforeEach(() => {
  // Not in /tmp, which is hidden anyway.
  home = realpathSync(mkdtempSync('/var/tmp/nsclone-agent-'));
  project = join(home, 'project');
  layers = mkdtempSync('/tmp/nsclone-agent-layers-');
  makeProject();
  writeFileSync(join(home, '.gitconfig'), 'ours\n');
  writeFileSync(join(home, '.secret'), 'secret\n');
});
afterEach(() => {
  const left = readdirSync(layers);
  for (const folder of [home, layers]) rmSync(folder, { recursive: true });
  expect(left).toEqual([]);
});

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [example('agent'), ...args], {
    cwd: project,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', HOME: home, TMPDIR: layers, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: slow(30_000),
  });
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not waited for in one go: servers of these tests are to answer meanwhile. */
async function agent(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = start(args, env);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { status: child.exitCode, stdout, stderr };
}

const inShell = async (script: string, ...options: readonly string[]): Promise<Outcome> =>
  agent([...options, 'sh', '-c', script]);

/** What a script prints that succeeds and has nothing to complain of. */
async function inside(script: string, ...options: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await inShell(script, ...options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trimEnd();
}

/** All that the project is: each path with its mode, and what is in it. */
function snapshot(path = '.'): Record<string, string> {
  const place = join(project, path);
  const stats = lstatSync(place);
  if (stats.isSymbolicLink()) return { [path]: `-> ${readlinkSync(place)}` };
  const mode = (stats.mode & 0o7777).toString(8);
  if (!stats.isDirectory()) return { [path]: `${mode} ${readFileSync(place, 'utf8')}` };
  const below = readdirSync(place).map((name) => snapshot(join(path, name)));
  return Object.assign({ [path]: `${mode} folder` }, ...below) as Record<string, string>;
}

describe('the files', () => {
  test('of the host are there, and cannot be changed', async () => {
    // A folder that we may write to.
    const ours = mkdtempSync('/var/tmp/nsclone-agent-');
    try {
      expect(await inside(`touch ${ours}/new 2>&1 || ls ${ours} /etc/passwd`)).toMatch(
        /^touch: .*Read-only file system\n\/etc\/passwd\n/,
      );
      expect(readdirSync(ours)).toEqual([]);
    } finally {
      rmSync(ours, { recursive: true });
    }
    const others = '/proc/sys/kernel/domainname /sys/kernel/uevent_seqnum /etc/passwd /proc/self/comm';
    expect(await inside(`for file in ${others}; do (: > $file) 2>/dev/null && echo $file; done; true`)).toBe('');
  });
  test('of the project can be changed, and are ours', async () => {
    expect(await inside('pwd; echo changed > file; touch new; rm -r gone')).toBe(project);
    expect(readFileSync(join(project, 'file'), 'utf8')).toBe('changed\n');
    expect(lstatSync(join(project, 'new')).uid).toBe(process.geteuid!());
    expect(existsSync(join(project, 'gone'))).toBe(false);
  });
  test('--project is another folder', async () => {
    const kept = join(project, 'kept');
    expect(await inside('pwd; touch new; touch ../new', '--project', 'kept')).toBe(kept);
    expect([existsSync(join(kept, 'new')), existsSync(join(project, 'new'))]).toEqual([true, false]);
  });
  test('of the home folder are hidden, but for those that are listed', async () => {
    expect(await inside('ls -A ~; cat ~/.secret 2>/dev/null || echo hidden')).toBe('project\nhidden');
    const script = 'ls -A ~; cat ~/.gitconfig; (echo theirs > ~/.gitconfig) 2>/dev/null || echo read-only';
    expect(await inside(script, '--home-file', '.gitconfig')).toBe('.gitconfig\nproject\nours\nread-only');
    await inside('echo new > ~/.profile; echo new > ~/project/file', '--home-file', '.gitconfig');
    expect(readdirSync(home).sort()).toEqual(['.gitconfig', '.secret', 'project']);
  });
  test('sockets of daemons and what others have in /tmp are hidden', async () => {
    expect(await inside('ls -A /run /tmp')).toBe('/run:\n\n/tmp:');
  });
  test('a project that would show the home folder, and a listed file that is missing, are refused', async () => {
    expect(await agent(['--project', home, 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining(`agent: the project would show all of ${home}`) as string,
    });
    expect(await agent(['--home-file', '.missing', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^agent: ENOENT: .*\.missing.*\n$/) as string,
    });
  });
});

describe('--dry-run', () => {
  const script = [
    'echo changed > file',
    'rm -r gone kept/below/file',
    'rm -r remade && mkdir remade && echo new > remade/new',
    'rm link && mkdir -p link/apt && echo new > link/apt/passwd',
    'mkdir -m 500 kept/closed; chmod 700 kept/below',
    'touch "$(printf \'bell\\007\')"',
    'exit 5',
  ].join('; ');
  const changes = [
    'new bell\\u{7}',
    'changed file',
    'removed gone',
    'changed kept/below/',
    'removed kept/below/file',
    'new kept/closed/',
    'changed link/',
    'new link/apt/',
    'new link/apt/passwd',
    'removed remade/old',
    'new remade/new',
    '',
  ].join('\n');

  test('lists the changes and leaves the project as it was', async () => {
    const before = snapshot();
    expect(await inShell(script, '--dry-run')).toEqual({ status: 5, stdout: '', stderr: changes });
    expect(snapshot()).toEqual(before);
  });
  test('with --keep the project is then as it would be without', async () => {
    expect(await inShell(script, '--dry-run', '--keep')).toEqual({ status: 5, stdout: '', stderr: changes });
    const kept = snapshot();
    expect(existsSync('/etc/apt/passwd')).toBe(false);
    rmSync(project, { recursive: true });
    makeProject();
    expect(await inShell(script)).toEqual({ status: 5, stdout: '', stderr: '' });
    expect(kept).toEqual(snapshot());
    expect(Object.keys(kept)).toContain('link/apt/passwd');
  });
  test('lists nothing where nothing is changed', async () => {
    expect(await inside('cat file', '--dry-run')).toBe('file');
  });
  test('leaves nothing behind of what the command has closed to its owner', async () => {
    // That nothing is left is looked at after each test.
    const script = 'mkdir -p closed/below; chmod 0 closed; exit 4';
    const stderr = 'new closed/\nnew closed/below/\n';
    expect(await inShell(script, '--dry-run')).toEqual({ status: 4, stdout: '', stderr });
  });
  test('--keep alone is refused', async () => {
    expect(await agent(['--keep', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('--dry-run'),
    });
  });
});

/** A client with node alone: the answer to one request of the proxy, by its status, and its body. */
const client = `
  const { request } = require('node:http');
  const proxy = new URL(process.env.http_proxy);
  const [method, path] = process.argv.slice(1);
  const tell = (response) => { process.stdout.write(response.statusCode + ' '); response.pipe(process.stdout); };
  const options = { host: proxy.hostname, port: proxy.port, method, path, headers: { host: 'localhost' } };
  const asked = request(options, tell).on('connect', (response, socket) => {
    if (response.statusCode !== 200) { console.log(response.statusCode); return socket.destroy(); }
    request({ createConnection: () => socket, path: '/tunnel' }, tell).end();
  });
  asked.end(method === 'POST' ? 'sent' : undefined);
`;

describe('the network', () => {
  let server: Server;
  let port = 0;
  let asked: string[] = [];
  beforeAll(async () => {
    server = createServer((from, answer) => {
      const line = `${from.method} ${from.url} ${from.headers.host}`;
      asked.push(line);
      from.pipe(answer.writeHead(207), { end: from.url !== '/broken' }).write(`${line}\n`);
      if (from.url === '/broken') setImmediate(() => answer.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());
  beforeEach(() => {
    asked = [];
  });

  async function ask(method: string, path: string, ...allow: readonly string[]): Promise<string> {
    const options = allow.flatMap((host) => ['--allow', host]);
    const { status, stdout, stderr } = await agent([...options, node!, '-e', client, method, path]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout.trimEnd();
  }

  withNode('has no interface but lo', async () => {
    expect(ownInterfaces(await inside('tail -n +3 /proc/net/dev | cut -d: -f1'))).toEqual(['lo']);
    const script = `require('node:net').connect(${port}, '127.0.0.1').on('error', (error) => console.log(error.code))`;
    expect(await agent([node!, '-e', script])).toMatchObject({ status: 0, stdout: 'ECONNREFUSED\n' });
  });
  withNode('the proxy passes on what goes to an allowed host', async () => {
    const said = `localhost:${port}`;
    expect(await ask('GET', `http://${said}/a?b=c`, 'localhost')).toBe(`207 GET /a?b=c ${said}`);
    expect(await ask('POST', `http://${said}/`, 'other.invalid', 'LOCALHOST')).toBe(`207 POST / ${said}\nsent`);
    expect(await ask('CONNECT', said, said)).toMatch(/^207 GET \/tunnel /);
  });
  withNode('the proxy answers 403 for every other, and asks nobody', async () => {
    for (const path of [`127.0.0.1:${port}`, `localhost@127.0.0.1:${port}`, `localhost.invalid:${port}`]) {
      expect([path, await ask('GET', `http://${path}/`, 'localhost')]).toEqual([path, '403 not allowed']);
      expect([path, await ask('CONNECT', path, 'localhost')]).toEqual([path, '403']);
    }
    expect(await ask('GET', `http://localhost:${port}/`, `localhost:${port + 1}`)).toBe('403 not allowed');
    expect(await ask('GET', `http://localhost:${port}/`)).toBe('403 not allowed');
    expect(await ask('GET', '/', 'localhost')).toBe('403 not allowed');
    expect(asked).toEqual([]);
  });
  withNode('the proxy answers 502 for an allowed one that is not there', async () => {
    expect(await ask('GET', 'http://localhost:1/', 'localhost')).toBe('502 not reached');
    expect(await ask('CONNECT', 'localhost:1', 'localhost')).toBe('502');
  });
  withNode('the proxy breaks off where the host does', async () => {
    expect(await ask('GET', `http://localhost:${port}/broken`, 'localhost')).toMatch(/^(207 GET .broken|502)/);
    expect(asked).toHaveLength(1);
  });
  withNode('curl, where it is there, takes the proxy of its environment', async () => {
    const script = `command -v curl > /dev/null || exit 9; curl -sS -w '%{http_code}' http://localhost:${port}/curl`;
    const { status, stdout } = await inShell(script, '--allow', 'localhost');
    expect([0, 9]).toContain(status);
    if (status === 0) expect(stdout).toBe(`GET /curl localhost:${port}\n207`);
  });
});

describe('the process', () => {
  test('has no capabilities, a filter, no new privileges, and none of our variables that is not listed', async () => {
    const none = '0'.repeat(16);
    const status = await inside("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; id -u");
    expect(status.split(/\s+/)).toEqual(
      ['CapEff:', none, 'CapBnd:', none, 'NoNewPrivs:', '1', 'Seccomp:', '2', process.geteuid!()].map(String),
    );
    const { stdout } = await agent(['--env', 'ASKED', 'env'], { SECRET: 'x', ASKED: 'y' });
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('=')[0]!);
    expect(names.sort()).toEqual(['ASKED', 'HOME', 'HTTPS_PROXY', 'HTTP_PROXY', 'PATH', 'http_proxy', 'https_proxy']);
  });
  test('its end is ours', async () => {
    expect(await inShell('exit 7')).toMatchObject({ status: 7 });
    expect(await inShell('kill -SEGV $$')).toMatchObject({ status: 139 });
    expect(await agent(['nowhere'])).toMatchObject({ status: 127, stderr: expect.stringMatching(/^agent: ENOENT/) });
    expect(await agent(['/etc/passwd'])).toMatchObject({
      status: 126,
      stderr: expect.stringMatching(/^agent: EACCES/),
    });
    for (const args of [[], ['--nothing', 'true'], ['--timeout', 'soon', 'true']])
      expect(await agent(args)).toMatchObject({ status: 125, stderr: expect.stringMatching(/^agent: .+\n/) });
    expect((await agent([])).stderr).toContain('usage: agent');
  });
  test('a signal is passed on', async () => {
    const child = start(['sh', '-c', "trap 'echo got it; exit 15' TERM; echo ready; while :; do sleep 0.05; done"]);
    child.stdout.once('data', () => child.kill('SIGTERM'));
    const [stdout] = await Promise.all([text(child.stdout), once(child, 'close')]);
    expect([stdout, child.exitCode]).toEqual(['ready\ngot it\n', 15]);
  });
  test('--timeout ends all of it', async () => {
    const seconds = 3_000_000 + process.pid;
    const sleeping = (): string => spawnSync('pgrep', ['-cfx', `sleep ${seconds}`], { encoding: 'utf8' }).stdout.trim();
    const script = `trap '' TERM; setsid sh -c ': > running; exec sleep ${seconds}' & sleep ${seconds}`;
    const limited = async (milliseconds: number): Promise<unknown> => {
      const limit = milliseconds / 1000;
      const { status, stdout, stderr } = await inShell(script, '--timeout', String(limit));
      return [status, stdout, stderr.replace(String(limit), 'so many')];
    };
    const ended = await inTime(limited, () => existsSync(join(project, 'running')));
    expect(ended).toEqual([137, '', 'agent: not done within so many s\n']);
    await until(() => sleeping() === '0');
  });
  test('npm adds nothing to it, and the project is where it was called', () => {
    // It builds the examples in place, which others are running meanwhile.
    const copy = mkdtempSync(join(tmpdir(), 'nsclone-agent-npm-'));
    try {
      for (const name of ['package.json', 'tsconfig.json', 'examples'])
        cpSync(join(checkout, name), join(copy, name), { recursive: true });
      for (const name of ['node_modules', 'dist']) symlinkSync(join(checkout, name), join(copy, name));
      const args = ['--prefix', copy, 'run', '--silent', 'agent', '--', 'sh', '-c', 'pwd; exit 9'];
      const env = { ...process.env, npm_config_update_notifier: 'false' };
      const options = { cwd: project, encoding: 'utf8', env: { ...env, HOME: home }, timeout: slow(60_000) } as const;
      const { status, stdout, stderr } = spawnSync('npm', args, options);
      expect({ status, stdout, stderr }).toEqual({ status: 9, stdout: `${project}\n`, stderr: '' });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

// Runs bubblewrap's own test suite with `nsclone bwrap` in its place, and counts it against what /usr/bin/bwrap passes here: none fewer.
//
// The suite is that of the version which is installed, by `apt-get source`; or of the folder that NSCLONE_BWRAP_SOURCE names. Where
// apt-get reaches nobody, the check says so and ends with 77, as a test does that was not run. As root
// it is run twice: its part on nested user namespaces ends early there, and is left out in the second run as with a set-uid bwrap.
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const real = '/usr/bin/bwrap';
const work = mkdtempSync(join(tmpdir(), 'bwrap-suite-'));
/** A test that waits for what does not come is told so. */
const longest = 300_000;
/** How a test ends that was not run, see automake's parallel harness. */
const notRun = 77;

class Unreachable extends Error {}

/** The machine's own sources of packages, with the sources of the packages in the place of what is built. */
function aptSources() {
  const folder = join(work, 'apt/parts');
  mkdirSync(folder, { recursive: true });
  const parts = '/etc/apt/sources.list.d';
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  for (const file of ['/etc/apt/sources.list', ...files]) {
    if (!/\.(list|sources)$/.test(file) || !existsSync(file)) continue;
    const text = readFileSync(file, 'utf8').replaceAll(/^deb(?= )|(?<=^Types:.*)\bdeb\b(?!-)/gm, 'deb-src');
    writeFileSync(join(folder, basename(file)), text);
  }
  return folder;
}

function fetchSource() {
  const parts = aptSources();
  const places = { 'State::Lists': 'lists', Cache: 'cache' };
  const options = [`Dir::Etc::SourceList=/dev/null`, `Dir::Etc::SourceParts=${parts}`];
  for (const [name, folder] of Object.entries(places)) {
    mkdirSync(join(work, 'apt', folder, 'partial'), { recursive: true });
    options.push(`Dir::${name}=${join(work, 'apt', folder)}`);
  }
  const apt = (...args) =>
    execFileSync('apt-get', [...options.flatMap((option) => ['-o', option]), '-qq', ...args], {
      cwd: work,
      stdio: 'inherit',
    });
  const version = execFileSync('dpkg-query', ['-W', '-f', '${source:Version}', 'bubblewrap'], { encoding: 'utf8' });
  try {
    // By itself it ends with 0 where it has got nothing.
    apt('-o', 'APT::Update::Error-Mode=any', 'update');
  } catch (error) {
    throw new Unreachable("apt-get reaches nobody who has bubblewrap's sources", { cause: error });
  }
  apt('source', `bubblewrap=${version}`);
  return join(
    work,
    readdirSync(work).find((name) => name.startsWith('bubblewrap-')),
  );
}

/** The folder of the tests, with the program that they need built. */
function prepare() {
  const given = process.env.NSCLONE_BWRAP_SOURCE ?? fetchSource();
  const source = join(work, 'source');
  cpSync(join(given, 'tests'), join(source, 'tests'), { recursive: true });
  const program = join(source, 'tests/try-syscall');
  if (existsSync(`${program}.c`)) execFileSync('gcc', ['-o', program, `${program}.c`]);
  mkdirSync(join(work, 'bin'));
  symlinkSync(join(root, 'dist/lib/cli.js'), join(work, 'bin/bwrap'));
  return source;
}

/** What one of the scripts says with this bwrap: the lines that are ok. */
async function passes(source, script, bwrap, more) {
  // Debian's modules are for its own one.
  const interpreter = script.endsWith('.py') ? '/usr/bin/python3' : 'bash';
  const child = spawn(interpreter, [join(source, 'tests', script)], {
    cwd: work,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, BWRAP: bwrap, G_TEST_SRCDIR: source, G_TEST_BUILDDIR: source, ...more },
  });
  let output = '';
  let problems = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (problems += text));
  // What a script that breaks off has left in the background goes with its group, also what holds its output open.
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing is left.
    }
  };
  const timer = setTimeout(end, longest);
  child.once('exit', end);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const skipped = /^1\.\.0 # SKIP.*/m.exec(output);
  return { lines: skipped === null ? (output.match(/^ok.*/gm) ?? []) : [skipped[0]], problems };
}

/** What is in the first and not in the second, as often as it is. */
function missing(wanted, found) {
  const rest = [...found];
  return wanted.filter((line) => {
    const at = rest.indexOf(line);
    if (at !== -1) rest.splice(at, 1);
    return at === -1;
  });
}

async function check(source, heading, more) {
  let isGood = true;
  for (const script of readdirSync(join(source, 'tests')).filter((name) => /^test-.*\.(sh|py)$/.test(name))) {
    const theirs = await passes(source, script, real, more);
    const ours = await passes(source, script, join(work, 'bin/bwrap'), more);
    const lost = missing(theirs.lines, ours.lines);
    const skipped = ours.lines.filter((line) => line.includes('# SKIP')).length;
    console.log(
      `${heading}${script}: bwrap ${theirs.lines.length}, nsclone bwrap ${ours.lines.length}, ${skipped} skipped`,
    );
    for (const line of lost) console.log(`  lost: ${line}`);
    const alone = missing(
      ours.lines.filter((line) => line.includes('# SKIP')),
      theirs.lines,
    );
    for (const line of alone) console.log(`  skipped by ours alone: ${line}`);
    if (lost.length + alone.length === 0) continue;
    isGood = false;
    console.log(ours.problems.split('\n').slice(-30).join('\n'));
  }
  return isGood;
}

try {
  const source = prepare();
  const rounds = [['', {}]];
  if (process.getuid() === 0) rounds.push(['as with set-uid, ', { bwrap_is_suid: 'true' }]);
  for (const [heading, more] of rounds) if (!(await check(source, heading, more))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof Unreachable)) throw error;
  console.log(`not run: ${error.message}`);
  process.exitCode = notRun;
} finally {
  rmSync(work, { recursive: true, force: true });
}

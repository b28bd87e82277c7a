// Checks that the code which runs in a child needs no C library: its symbols, relocations and the linked stub.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const release = join(dirname(fileURLToPath(import.meta.url)), '../build/Release');
// What is linked together and runs in a child: the loop in Node's memory, and the stub.
const groups = ['nsclone_loop', 'nsclone_stub', 'nsclone_test_loop', 'nsclone_test_stub'];
const required = groups.slice(0, 2);
const stubs = ['nsclone_stub', 'nsclone_test_stub'];
// What the compiler and the linker make up, and what no one has to define.
const linkerMade = new Set(['_GLOBAL_OFFSET_TABLE_']);
// Thread-local storage: a child shares the thread pointer with the thread that made it.
const threadLocal = /TPOFF|TLSGD|TLSLD|TLSDESC|TLSLE|TLSIE|GOTTP/;

const problems = [];
// readelf, unlike nm, reads the files of every architecture.
const readelf = (option, file) =>
  execFileSync('readelf', [option, '-W', file], { encoding: 'utf8', maxBuffer: 1 << 26 });

const objectsOf = (group) =>
  readdirSync(join(release, 'obj.target', group), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith('.o'))
    .map((entry) => join(entry.parentPath, entry.name));

/** The symbols that an object defines for others, and those it wants from them. */
function symbolsOf(file) {
  const symbols = { defined: [], wanted: [] };
  for (const line of readelf('--symbols', file).split('\n')) {
    const [, , , , binding, , section, name] = line.trim().split(/\s+/);
    if (name === undefined || !['GLOBAL', 'WEAK'].includes(binding)) continue;
    symbols[section === 'UND' ? 'wanted' : 'defined'].push(name);
  }
  return symbols;
}

function checkGroup(group) {
  const objects = objectsOf(group).map((file) => ({ file: file.slice(release.length + 1), ...symbolsOf(file) }));
  if (objects.length === 0) problems.push(`${group}: has no object files`);
  const defined = new Set(objects.flatMap((object) => object.defined));
  for (const { file, wanted } of objects) {
    for (const name of wanted) {
      if (!defined.has(name) && !linkerMade.has(name))
        problems.push(`${file}: needs ${name}, which no code of the child defines`);
    }
    const path = join(release, file);
    for (const line of readelf('--relocs', path).split('\n')) {
      if (threadLocal.test(line)) problems.push(`${file}: uses thread-local storage: ${line.trim()}`);
    }
    // Nobody runs static constructors in a child.
    const constructors = /\s(\.init_array|\.ctors|\.tdata|\.tbss)\S*\s/.exec(readelf('--sections', path));
    if (constructors) problems.push(`${file}: has a section ${constructors[1]}`);
  }
}

function checkStub(name) {
  const segments = /\b(INTERP|DYNAMIC|TLS)\b/.exec(readelf('--program-headers', join(release, name)));
  if (segments) problems.push(`${name}: has a segment ${segments[1]}, so it is not static and alone`);
}

const built = (place) => existsSync(join(release, place));
for (const group of groups) {
  if (built(join('obj.target', group))) checkGroup(group);
  else if (required.includes(group)) problems.push(`${group}: not built; run npm run build:native first`);
}
for (const stub of stubs) {
  if (built(stub)) checkStub(stub);
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log('symbols: the code of the child needs nothing but the kernel');

// Packs the package and uses it with every Node that we support, as this user and, where that is root, as an ordinary one.
// The Nodes come from npm. Versions on the command line are taken in the place of all.
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { installNode, versionFor, versions } from './node-versions.mjs';
import { install, manifest, pack, root, run, use } from './packed.mjs';

const chosen = process.argv.length > 2 ? process.argv.slice(2).map((wanted) => versionFor(wanted)) : versions;

/** What is on its way out is a fault of ours today. */
const strict = ['--throw-deprecation', '--pending-deprecation'];

/** The programs, the first major version whose syntax they have, and flags of the Node that runs them. */
const programs = [
  { name: 'use.cjs', since: 20, flags: [] },
  { name: 'use.mjs', since: 20, flags: [] },
  // Node 22 takes types away by itself, but says that it is an experiment.
  { name: 'use.mts', since: 22, flags: ['--disable-warning=ExperimentalWarning'] },
  { name: 'using.mjs', since: 24, flags: [] },
];

const environment = [
  'env',
  '--ignore-environment',
  'PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  'LANG=C.UTF-8',
];
const ordinary = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', '--inh-caps=-all'];
const users =
  process.geteuid() === 0
    ? { root: environment, 'an ordinary user': [...ordinary, ...environment] }
    : { 'an ordinary user': environment };

/** What the package says of itself must be what is tried. */
function checkFloor() {
  const floor = `>=${versions[0].replace(/\.0$/, '')}`;
  if (manifest.engines.node !== floor)
    throw new Error(`package.json allows Node ${manifest.engines.node}, not ${floor}`);
}

function check(version, folder) {
  const node = installNode(version, join(folder, version));
  const installed = run(node, ['--version']).trim();
  if (installed !== `v${version}`) throw new Error(`npm's package of Node ${version} has ${installed}`);
  for (const [user, command] of Object.entries(users)) {
    const fit = programs.filter(({ since }) => Number.parseInt(version, 10) >= since);
    for (const { name, flags } of fit) use(join(folder, 'consumer'), name, [...command, node, ...strict, ...flags]);
    console.log(`node ${version}, ${user}: ${fit.map(({ name }) => name).join(', ')} are good`);
  }
  rmSync(join(folder, version), { recursive: true });
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nsclone-nodes-')));
try {
  checkFloor();
  chmodSync(folder, 0o755); // for the ordinary user
  install(join(folder, 'consumer'), pack(root, folder).archive);
  for (const version of chosen) {
    try {
      check(version, folder);
    } catch (error) {
      console.error(`node ${version}: ${error.message}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

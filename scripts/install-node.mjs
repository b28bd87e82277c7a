// Installs one of the Nodes that the package is tried with, to run the tests or anything else by it:
//
//   node scripts/install-node.mjs 26 /tmp/node26
//   PATH=/tmp/node26/bin:$PATH npx jest
import { resolve } from 'node:path';

import { installNode, versionFor } from './node-versions.mjs';

const [wanted, folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node scripts/install-node.mjs VERSION FOLDER');
  process.exitCode = 2;
} else {
  console.log(installNode(versionFor(wanted), resolve(folder)));
}

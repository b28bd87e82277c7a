// Stops a publication as long as package.json has addresses that lead nowhere: the one place that they are in. And as long
// as the README has one that leads nowhere on npm's page.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { homepage, bugs, repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// RFC 2606: no name below .invalid can ever be had.
const placeholders = [homepage, bugs.url, bugs.email, repository.url].filter((address) => /\.invalid\b/.test(address));
for (const address of placeholders) console.error(`package.json: ${address} is a placeholder`);
// npm's page completes a relative `src` with the repository's address, a relative `srcset` it does not.
const relative = Array.from(
  readFileSync(join(root, 'README.md'), 'utf8').matchAll(/\bsrcset="(?!https:)([^"]+)"/g),
  ([, address]) => address,
);
for (const address of relative) console.error(`README.md: npm's page does not show ${address}: give its whole address`);
if (placeholders.length + relative.length > 0) process.exitCode = 1;

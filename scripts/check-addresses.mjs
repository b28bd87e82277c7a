// Stops a publication as long as package.json has addresses that lead nowhere: the one place that they are in.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { homepage, bugs, repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// RFC 2606: no name below .invalid can ever be had.
const placeholders = [homepage, bugs.url, bugs.email, repository.url].filter((address) => /\.invalid\b/.test(address));
for (const address of placeholders) console.error(`package.json: ${address} is a placeholder`);
if (placeholders.length > 0) process.exitCode = 1;

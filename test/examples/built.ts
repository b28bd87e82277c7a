// The examples, compiled where one of them is younger than what was built of it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const sources = join(root, 'examples');
const target = join(root, 'build/examples');

/** The path of a compiled example. */
export function example(name: string): string {
  return join(target, `${name}.js`);
}

function outdated(): boolean {
  return readdirSync(sources)
    .filter((name) => name.endsWith('.ts'))
    .some((name) => {
      const built = example(name.slice(0, -'.ts'.length));
      return !existsSync(built) || statSync(join(sources, name)).mtimeMs > statSync(built).mtimeMs;
    });
}

/** Beside, and then moved, since another test file may be running one of them. */
export function buildExamples(): void {
  if (!outdated()) return;
  mkdirSync(target, { recursive: true });
  const beside = mkdtempSync(join(root, 'build/examples-'));
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '-p', sources, '--outDir', beside], { stdio: 'inherit' });
    for (const name of readdirSync(beside)) renameSync(join(beside, name), join(target, name));
  } finally {
    rmSync(beside, { recursive: true });
  }
}

// Builds bench/floor.c and talks to it: one question a line, one JSON array of nanoseconds as the answer.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('floor.c', import.meta.url));
const folder = fileURLToPath(new URL('../build/bench/', import.meta.url));
const binary = `${folder}floor`;

/** Compiles the floor unless it is newer than its source. */
export function buildFloor() {
  if (modified(binary) > modified(source)) return;
  mkdirSync(folder, { recursive: true });
  execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-o', binary, source], { stdio: 'inherit' });
}

/** Starts a floor; its `ask(mode, count)` resolves to nanoseconds. */
export function startFloor() {
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'pipe'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaint = '';
  child.stderr.on('data', (text) => (complaint += text));
  child.on('error', (error) => (complaint += error.message));
  child.stdin.on('error', () => {}); // a floor that died has said why on stderr
  return {
    async ask(mode, count) {
      child.stdin.write(`${mode} ${count}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error(complaint.trim() || 'the floor ended');
      return JSON.parse(value);
    },
    stop: () => child.stdin.end(),
  };
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

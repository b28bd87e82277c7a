// What the figures were taken on: they mean something only together with it.
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export function machine() {
  return {
    date: new Date().toISOString(),
    nsclone: JSON.parse(read(new URL('../package.json', import.meta.url))).version,
    node: process.version,
    kernel: release(),
    cpu: `${availableParallelism()} × ${cpus()[0]?.model.trim()}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GB`,
    load: Number(loadavg()[0].toFixed(2)),
    user: process.geteuid() === 0 ? 'root' : 'ordinary user',
    // With huge pages everywhere fork() has far less to copy.
    hugePages: /\[(\w+)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled'))?.[1] ?? 'unknown',
  };
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

// On another platform the import works, and calls say what is missing.
import { spawnSync } from 'node:child_process';

import { root } from './support/own-process';

test('calls fail with Node’s own code where this is not Linux, and names still work', () => {
  const script = `
    Object.defineProperty(process, 'platform', { value: 'darwin' });
    const { clone, Flags, formatFlags, NamespaceWorker, probe, record, run, runIn, setns, setnsSync, unshare, unshareSync } = require(${JSON.stringify(root)});
    (async () => {
      const codes = [];
      const calls = [
        () => clone('true'),
        () => run('true'),
        () => probe(),
        () => clone(record(() => {})),
        () => unshare(Flags.NEWNET),
        () => unshare(0),
        async () => unshareSync(0),
        () => setns('/proc/self/ns/net'),
        () => setns({ pid: process.pid }, 0),
        async () => setnsSync({ pid: process.pid, flags: 0 }),
        async () => runIn('/proc/self/ns/net', () => {}),
        async () => new NamespaceWorker('./worker.js'),
      ];
      for (const call of calls) codes.push(await call().then(() => 'started', ({ code }) => code));
      console.log(JSON.stringify({ codes, name: formatFlags(Flags.NEWNET) }));
    })();`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    codes: Array.from({ length: 12 }, () => 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'),
    name: 'CLONE_NEWNET',
  });
});

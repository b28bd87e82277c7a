// Children that a Worker has left behind cost nothing while nothing ends, and are reaped when they end.
import { longer } from '../support/attack';
import { evaluate } from '../support/own-process';

const survivors = 600;

test('hundreds of them: a later clone costs as much as before', () => {
  const [left, before, after, reaped] = evaluate<[number, number, number, number]>(`
    const { clone } = nsclone;
    const { Worker } = require('node:worker_threads');
    const { once } = require('node:events');
    const { children } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
    const nothing = { stdio: 'ignore' };
    /** What a call costs at least: what else a machine does makes it dearer, but never cheaper. */
    const cost = async () => {
      const costs = [];
      for (let i = 0; i < 80; i++) {
        const from = process.hrtime.bigint();
        const promise = clone('/bin/true', [], nothing);
        costs.push(Number(process.hrtime.bigint() - from));
        await (await promise).exited;
      }
      return Math.min(...costs);
    };
    await cost();
    const before = await cost();
    const worker = new Worker(\`
      const { clone } = require(${JSON.stringify(require.resolve('../..'))});
      const options = { stdio: 'ignore', detached: true };
      (async () => {
        for (let i = 0; i < ${survivors}; i += 20)
          await Promise.all(Array.from({ length: 20 }, () => clone('/bin/sleep', ['${longer}'], options)));
        process.exit(0);
      })();\`, { eval: true });
    await once(worker, 'exit');
    // Its thread ends behind its event, and only then are they all here.
    let left;
    await until(() => (left = children()).length === ${survivors});
    const after = await cost();
    for (const line of left) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    // The end of any child is a moment to look.
    await until(async () => {
      await (await clone('/bin/true', [], nothing)).exited;
      return children().length === 0;
    }, 5000).catch(() => {});
    return [left.length, before, after, left.length - children().length];`);
  expect([left, reaped]).toEqual([survivors, survivors]);
  // A look at each of them would make it seven times as much.
  expect(after).toBeLessThan(before * 3);
});

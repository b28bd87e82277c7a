// Children that a Worker has left behind cost nothing while nothing ends, and are reaped when they end.
import { evaluate } from '../support/own-process';

const survivors = 600;

test('hundreds of them: a later clone holds the event loop as long as before', () => {
  const [left, before, after, reaped] = evaluate<[number, number, number, number]>(`
    const { clone } = nsclone;
    const { Worker } = require('node:worker_threads');
    const { once } = require('node:events');
    const { children, sleep } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
    const nothing = { stdio: 'ignore' };
    /** The time for which a call holds the event loop, in milliseconds: the middle of 50, at the best of six moments. */
    const held = async () => {
      const middles = [];
      for (let moment = 0; moment < 6; moment++) {
        const times = [];
        for (let i = 0; i < 50; i++) {
          const from = performance.now();
          const promise = clone('/bin/true', [], nothing);
          times.push(performance.now() - from);
          await (await promise).exited;
        }
        middles.push(times.sort((a, b) => a - b)[25]);
      }
      return Math.min(...middles);
    };
    await held();
    const before = await held();
    const worker = new Worker(\`
      const { clone } = require(${JSON.stringify(require.resolve('../..'))});
      const options = { stdio: 'ignore', detached: true };
      (async () => {
        for (let i = 0; i < ${survivors}; i++) await clone('/bin/sleep', ['20'], options);
        process.exit(0);
      })();\`, { eval: true });
    await once(worker, 'exit');
    const left = children();
    const after = await held();
    for (const line of left) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    // The end of any child is a moment to look.
    for (let i = 0; i < 100 && children().length > 0; i++) {
      await (await clone('/bin/true', [], nothing)).exited;
      await sleep(10);
    }
    return [left.length, before, after, left.length - children().length];`);
  expect([left, reaped]).toEqual([survivors, survivors]);
  expect(after).toBeLessThan(before * 1.5);
});

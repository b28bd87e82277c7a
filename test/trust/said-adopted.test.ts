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
    /** Time of a processor, in microseconds, which passes only while we have one. */
    const used = () => { const { user, system } = process.cpuUsage(); return user + system; };
    /** What a call costs, itself and its child's end: the middle of 50, at the best of six moments. */
    const cost = async () => {
      const middles = [];
      for (let moment = 0; moment < 6; moment++) {
        const times = [];
        for (let i = 0; i < 50; i++) {
          const from = used();
          await (await clone('/bin/true', [], nothing)).exited;
          times.push(used() - from);
        }
        middles.push(times.sort((a, b) => a - b)[25]);
      }
      return Math.min(...middles);
    };
    await cost();
    const before = await cost();
    const worker = new Worker(\`
      const { clone } = require(${JSON.stringify(require.resolve('../..'))});
      const options = { stdio: 'ignore', detached: true };
      (async () => {
        for (let i = 0; i < ${survivors}; i++) await clone('/bin/sleep', ['${longer}'], options);
        process.exit(0);
      })();\`, { eval: true });
    await once(worker, 'exit');
    const left = children();
    const after = await cost();
    for (const line of left) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    // The end of any child is a moment to look.
    await until(async () => {
      await (await clone('/bin/true', [], nothing)).exited;
      return children().length === 0;
    }, 5000).catch(() => {});
    return [left.length, before, after, left.length - children().length];`);
  expect([left, reaped]).toEqual([survivors, survivors]);
  expect(after).toBeLessThan(before * 2);
});

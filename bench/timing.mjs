// How long things take, in nanoseconds: until the end, and how long the JS thread was held.
import { once } from 'node:events';

/** From the call to the exit of the child. */
export async function callToExit({ start, exited }) {
  const began = process.hrtime.bigint();
  await exited(start());
  return { 'call → exit': since(began) };
}

/**
 * How one start holds the JS thread:
 * - `call`: the synchronous time of the call alone;
 * - `held`: the call and every callback until the promise (or 'spawn') settled: wall time less what the event loop slept;
 * - `held to exit`: the same until the exit of the child has been told;
 * - `cpu`: processor time of the whole process until the promise settled (threads of Node and microseconds included).
 */
export async function held({ start, settled, exited }) {
  const cpuBefore = process.cpuUsage();
  const sleptBefore = slept();
  const began = process.hrtime.bigint();
  const child = start();
  const call = since(began);
  await settled(child);
  const untilSettled = since(began) - (slept() - sleptBefore);
  const { user, system } = process.cpuUsage(cpuBefore);
  await exited(child);
  const untilExit = since(began) - (slept() - sleptBefore);
  return { call, held: untilSettled, 'held to exit': untilExit, cpu: (user + system) * 1e3 };
}

export function since(began) {
  return Number(process.hrtime.bigint() - began);
}

/** What the event loop has slept in epoll so far; libuv counts it in nanoseconds. */
function slept() {
  return performance.eventLoopUtilization().idle * 1e6;
}

/** From the call until a child has printed; over once it has closed. */
export async function toFirstByte(start) {
  const began = process.hrtime.bigint();
  const child = await start();
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  const time = since(began);
  await closed;
  return time;
}

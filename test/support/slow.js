// The one factor in all times of the suite, NSCLONE_TEST_SLOW: 10 where a machine is ten times as slow. For tests, for
// scripts in processes of their own and for jest's configuration.
const { setTimeout: sleep } = require('node:timers/promises');

const factor = Number(process.env.NSCLONE_TEST_SLOW ?? 1);
if (!(factor > 0)) throw new RangeError(`NSCLONE_TEST_SLOW is no factor: ${process.env.NSCLONE_TEST_SLOW}`);

function slow(milliseconds) {
  return Math.ceil(milliseconds * factor);
}

async function until(look, milliseconds = 20_000) {
  const end = performance.now() + slow(milliseconds);
  // Who was kept from the processor has seen nothing meanwhile: some looks are due to everyone.
  for (let looks = 0; ; looks++, await sleep(2)) {
    const found = await look();
    if (found) return found;
    if (looks > 10 && performance.now() > end) throw new Error(`waited in vain until ${String(look)}`);
  }
}

/** What a call rejects with whose limit came in set-up. */
const tooEarly = new Set(['ETIMEDOUT', 'ABORT_ERR']);

async function inTime(start, far = () => true) {
  for (let limit = 30; limit < slow(8_000); limit *= 2) {
    try {
      const result = await start(limit);
      if (far(result)) return result;
    } catch (error) {
      if (!tooEarly.has(error.code)) throw error;
    }
  }
  throw new Error('no time was long enough');
}

module.exports = { slow, until, inTime };

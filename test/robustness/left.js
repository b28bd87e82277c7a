// For scripts that run in a process of their own: what is left of their children.
const { readdirSync, readFileSync, readlinkSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const { slow } = require('../support/slow.js');

/** Memory files are pooled: how many there are is a matter of how many children ran at once. */
const pooled = '/memfd:nsclone/program';

function descriptors() {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${number}`);
      // Numbers of pipes and sockets differ from one to the next.
      return target.startsWith(pooled) ? [] : [target.replace(/:\[\d+\]$/, '')];
    } catch {
      return [];
    }
  });
}

/** 'pid state' of all our children, zombies too. */
function children() {
  const found = [];
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      for (const pid of readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean)) {
        found.push(
          `${pid} ${
            readFileSync(`/proc/${pid}/stat`, 'utf8')
              .replace(/ \(.*\)/, '')
              .split(' ')[1]
          }`,
        );
      }
    } catch {
      // A thread or a child that has ended meanwhile.
    }
  }
  return found;
}

/** Waits, at most so long, until no child is left and there are not more descriptors than `before`; tells what there is. */
async function settled(before, milliseconds = 5000) {
  for (const end = performance.now() + slow(milliseconds); ; await sleep(10)) {
    const now = { children: children(), descriptors: Math.max(0, descriptors().length - before) };
    if ((now.children.length === 0 && now.descriptors === 0) || performance.now() > end) return now;
  }
}

module.exports = { children, descriptors, settled, sleep };

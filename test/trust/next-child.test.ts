// Children share nothing: no container changes what the next child is made of (the class of CVE-2019-5736).
import { containers, longer, rootWithCompiler } from '../support/attack';
import { compiled, withCompiler } from '../support/compiled';
import { evaluate } from '../support/own-process';

const spoil = compiled('trust/spoil-files');

interface Outcome {
  /** What the attack says, file by file. */
  readonly attack: Record<string, string>;
  /** How the children after it end; the code of the error where one does not start. */
  readonly later: (number | string | null)[];
}

/** From where the attack comes: from beside a pid 1 of ours, or from a container that a held child of ours has joined. */
const places = {
  'its pid 1': `
    attacker = await clone(spoil, ['1', how, seconds], { ...container, init: true, stdio: ['ignore', 'pipe', 'inherit'] });
    const text = await all(attacker.stdout);`,
  'a held child that has joined it': `
    const line = 'read -r pid; exec ' + spoil + ' $pid ' + how + ' ' + seconds;
    attacker = await clone('/bin/sh', ['-c', line], { ...container, stdio: ['pipe', 'pipe', 'inherit'] });
    const child = await clone('/bin/true', { join: attacker, hold: true, stdio: 'ignore' });
    const status = fs.readFileSync('/proc/' + child.pid + '/status', 'utf8');
    attacker.stdin.end(/^NSpid:.*\\t(\\d+)$/m.exec(status)[1] + '\\n');
    const text = await all(attacker.stdout);
    child.kill('SIGKILL');
    await child.exited;`,
};

/** In a Node of its own: what is broken there stays broken for all its later children. */
function outcome(root: keyof typeof containers, place: keyof typeof places, how: string): Outcome {
  return evaluate(
    `const { clone } = nsclone;
     const { text: all } = require('node:stream/consumers');
     const container = ${JSON.stringify(containers[root])};
     const [spoil, how, seconds] = ${JSON.stringify([spoil.path, how, longer])};
     setTimeout(() => process.exit(1), slow(20_000)).unref();
     let attacker;
     const end = async (options) => {
       try {
         return (await (await clone('/bin/true', { stdio: 'ignore', ...options })).exited).code;
       } catch (error) {
         return error.code;
       }
     };
     await end({});
     const attacked = (async () => { ${places[place]} return text; })().catch(() => '{}');
     // What becomes of the attacker's own start is its own affair.
     const told = await Promise.race([attacked, new Promise((resolve) => setTimeout(resolve, slow(5000), '{}'))]);
     const later = [];
     for (let i = 0; i < 3; i++) {
       for (const options of [{}, container, { ...container, init: true }]) later.push(await end(options));
     }
     attacker?.kill('SIGKILL');
     setImmediate(() => process.exit(0));
     return { attack: JSON.parse(told), later };`,
  );
}

describe('root of the host keeps our program open for writing, once it has ended', () => {
  rootWithCompiler('later children start, but for the first one at most', () => {
    const [first, ...later] = evaluate<(number | string)[]>(
      `const { clone } = nsclone;
       const container = ${JSON.stringify(containers['root of the host'])};
       const line = 'read -r pid; exec ' + ${JSON.stringify(spoil.path)} + ' $pid busy 0';
       const attacker = await clone('/bin/sh', ['-c', line], { ...container, stdio: ['pipe', 'pipe', 'inherit'] });
       const child = await clone('/bin/true', { join: attacker, hold: true, stdio: 'ignore' });
       const status = fs.readFileSync('/proc/' + child.pid + '/status', 'utf8');
       attacker.stdin.end(/^NSpid:.*\\t(\\d+)$/m.exec(status)[1] + '\\n');
       // It has the path; at the end of the stream it has the file.
       const told = new Promise((resolve) => attacker.stdout.once('data', resolve));
       const busy = new Promise((resolve) => attacker.stdout.once('end', resolve));
       if (!String(await told).includes('done')) throw new Error('the attack has failed');
       child.kill('SIGKILL');
       await busy;
       const ends = [];
       for (let i = 0; i < 4; i++) {
         const end = clone('/bin/true', { stdio: 'ignore' }).then(async (one) => (await one.exited).code);
         ends.push(await end.catch((error) => error.code));
       }
       attacker.kill('SIGKILL');
       return ends;`,
    );
    expect(later).toEqual([0, 0, 0]);
    expect([0, 'ETXTBSY']).toContain(first);
  });
});

const work = Array.from({ length: 9 }, () => 0);

for (const root of ['root of a user namespace', 'root of the host'] as const) {
  const attacks = root === 'root of the host' ? rootWithCompiler : withCompiler;

  describe(`${root} spoils what our processes are made of`, () => {
    for (const place of ['its pid 1', 'a held child that has joined it'] as const) {
      for (const how of ['write', 'truncate', 'chmod', 'acl', 'keep']) {
        attacks(`through ${place}, by '${how}': later children start`, () => {
          const { attack, later } = outcome(root, place, how);
          expect(later).toEqual(work);
          if (how === 'write' || how === 'truncate') expect(attack.exe).not.toBe('done');
        });
      }
    }
  });
}

describe('root of a user namespace', () => {
  for (const place of ['its pid 1', 'a held child that has joined it'] as const) {
    withCompiler(`reaches neither program nor memory of ${place}`, () => {
      for (const how of ['write', 'truncate', 'chmod', 'acl']) {
        expect(outcome('root of a user namespace', place, how).attack).toEqual({ exe: 'EACCES' });
      }
    });
  }
});

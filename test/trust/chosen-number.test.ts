// Numbers that a container chooses: of a process made in its pid namespace by a thread of ours, which is told by number there alone.
import { longer } from '../support/attack';
import { rootOnly } from '../support/capability';
import { compiled, compiler } from '../support/compiled';
import { evaluate } from '../support/own-process';

const choose = compiled('trust/choose-number');

rootOnly('another child of ours that has the number here is neither killed nor reaped, and nobody is lost', () => {
  if (compiler === undefined) return;
  const [ends, strangers] = evaluate<[string[], unknown[]]>(`
    const { clone, Flags, runIn } = nsclone;
    const { settled } = require(${JSON.stringify(require.resolve('../robustness/left.js'))});
    const mounts = [{ type: 'proc', target: '/proc' }];
    const ends = [];
    for (const flags of [Flags.NEWPID, Flags.NEWPID, Flags.NEWPID, Flags.NEWPID, Flags.NEWTIME, Flags.NEWTIME]) {
      const victim = await clone('sleep', ['${longer}'], { stdio: 'ignore' });
      const options = { flags: Flags.NEWPID | Flags.NEWNS, mounts, stdio: ['ignore', 'pipe', 'inherit'] };
      const box = await clone(${JSON.stringify(choose.path)}, [String(victim.pid)], options);
      await new Promise((resolve, reject) => box.stdout.once('data', resolve).once('end', reject));
      const pidns = box.namespace('pid');
      const starting = runIn(pidns, () => ({ it: clone('true', [], { flags, stdio: 'ignore', timeout: slow(100) }) })).it;
      await starting.then((child) => child.exited, () => {});
      pidns.close();
      ends.push(victim.exitCode ?? victim.signalCode ?? 'lives');
      box.kill('SIGKILL');
      await box.exited;
      victim.kill('SIGKILL');
      await victim.exited;
    }
    return [ends, (await settled(1e6)).children];`);
  expect(new Set(ends)).toEqual(new Set(['lives']));
  expect(strangers).toEqual([]);
});

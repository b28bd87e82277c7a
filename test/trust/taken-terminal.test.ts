// The example `sandbox` at a terminal: the command in it can write to it and read from it, and type into it never.
import { readFileSync } from 'node:fs';

import { clone } from '../../lib';
import { buildExamples, example } from '../examples/built';
import { leavesNothing } from '../support/leftovers';
import { slow } from '../support/slow';
import { compiled, withCompiler } from '../support/compiled';

leavesNothing();

const typing = compiled('trust/taken-typing');

beforeAll(buildExamples);

const ENXIO = 6;

/** Whether the kernel lets anybody type into his terminal at all: it is as dangerous as it was where it does. */
const legacy = ((): string => {
  try {
    return readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'utf8').trim();
  } catch {
    return '1';
  }
})();

/** A shell at a terminal of ours, in which the sandbox is one command of several; what appears there in the end. */
async function atTerminal(script: string, typed = ''): Promise<string> {
  const sandbox = `'${process.execPath}' '${example('sandbox')}'`;
  // What is typed shows in its own right, without the echo of it.
  const shell = await clone('/bin/sh', ['-c', `stty -echo; sandbox() { ${sandbox} "$@"; }; ${script}`], {
    pty: true,
    timeout: slow(25_000),
  });
  let output = '';
  for await (const chunk of shell.pty) {
    output += String(chunk);
    if (typed !== '' && output.includes('ready')) {
      shell.pty.write(typed);
      typed = '';
    }
  }
  await shell.exited;
  return output.replaceAll(/\r+\n/g, '\n');
}

/** What waits to be read at the terminal, for the next program of its user. */
const waiting = `stty -icanon min 0 time 3; echo "waiting: [$(cat)]"`;
const controlling = `echo "outer $(cut -d' ' -f7 /proc/self/stat)"`;

withCompiler('what the command types reaches no program of the terminal’s user', async () => {
  // That the attack is one: a command that is not in a sandbox types.
  const direct = await atTerminal(`'${typing.path}'; ${waiting}`);
  if (legacy === '1') expect(direct).toContain('waiting: [typed\ntyped');
  const output = await atTerminal(`sandbox '${typing.path}'; ${waiting}`);
  expect(output).toMatch(/^\/dev\/tty /m);
  expect(output).toContain('waiting: []');
});

withCompiler('the command has another controlling terminal, or none', async () => {
  const output = await atTerminal(`${controlling}; sandbox '${typing.path}'`);
  const [, outer] = /^outer (-?\d+)$/m.exec(output)!;
  const [, tried, inner] = /^\/dev\/tty (\d+), .* controlling (-?\d+)$/m.exec(output)!;
  expect(Number(outer)).not.toBe(0);
  expect(inner).not.toBe(outer);
  if (inner === '0') expect(Number(tried)).toBe(ENXIO);
});

test('a person at the terminal and the command still hear each other', async () => {
  const output = await atTerminal(
    `sandbox sh -c 'echo ready; read line; echo "heard $line"; echo err >&2; exit 7'; echo "code $?"`,
    'hello\n',
  );
  expect(output).toContain('heard hello\n');
  expect(output).toContain('err\n');
  expect(output).toContain('code 7\n');
});

// The command `nsclone`: what it prints, to whom, and what it ends with.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { clone, type CloneOptions, Flags, probe, run, type Support } from '../../lib';
import type { Output } from '../../lib/cli/command';
import { execute } from '../../lib/cli/commands';
import { isGood, table } from '../../lib/cli/doctor';
import { owned } from '../support/inside';
import { leavesNothing } from '../support/leftovers';
import { root } from '../support/own-process';

leavesNothing();

const command = join(root, 'dist/lib/cli.js');
const escape = '\u001B[';

class Text implements Output {
  text = '';
  readonly hasColours = false;
  write(text: string): void {
    this.text += text;
  }
}

async function executed(...argv: string[]): Promise<{ code: number; output: string; problems: string }> {
  const [output, problems] = [new Text(), new Text()];
  const code = await execute(argv, output, problems);
  return { code, output: output.text, problems: problems.text };
}

let support: Support;
beforeAll(async () => {
  support = await probe();
});

/** What it tells of another host. */
const elsewhere = (changed: { namespaces?: object; features?: object }): Support => ({
  kernel: support.kernel,
  namespaces: { ...support.namespaces, ...changed.namespaces },
  features: { ...support.features, ...changed.features },
});

describe('doctor', () => {
  test('--json prints what probe() tells, and nothing else', async () => {
    const { code, output, problems } = await executed('doctor', '--json');
    expect(JSON.parse(output)).toEqual(support);
    expect({ code, problems }).toEqual({ code: isGood(support) ? 0 : 1, problems: '' });
  });

  test('has a line for each namespace and each feature', async () => {
    const { output } = await executed('doctor');
    for (const [name, { available }] of [...Object.entries(support.namespaces), ...Object.entries(support.features)])
      expect(output).toMatch(new RegExp(`^ {2}${name} +${available ? 'yes' : 'no'} `, 'm'));
    expect(output).not.toContain(escape);
  });

  test('tells the cause of what is refused, what was found, and below it what to do', () => {
    const net = { available: false, cause: 'sysctl', detail: 'sysctl user.max_net_namespaces is 0', hint: 'set it' };
    const lines = table(elsewhere({ namespaces: { net } }), false).split('\n');
    const at = lines.findIndex((line) => line.startsWith('  net '));
    expect(lines[at]).toMatch(/^ {2}net +no {3}sysctl: sysctl user\.max_net_namespaces is 0$/);
    expect(lines[at + 1]).toMatch(/^ +-> set it$/);
  });

  test('shows no control characters of what the host says', () => {
    const proc = { available: false, cause: 'helper', detail: `bad ${escape}31m`, hint: 'two\nlines' };
    const text = table(elsewhere({ features: { proc } }), false);
    expect(text).not.toContain(escape);
    expect(text).toContain(String.raw`two\nlines`);
  });

  test('is good where the usual namespaces and mounts can be made', () => {
    const yes = { available: true };
    const no = { available: false, cause: 'kernel' };
    const basics = { mnt: yes, pid: yes, net: yes, ipc: yes, uts: yes };
    expect(isGood(elsewhere({ namespaces: basics, features: { mountCalls: yes, proc: no, cgroup: no } }))).toBe(true);
    for (const name of Object.keys(basics))
      expect(isGood(elsewhere({ namespaces: { ...basics, [name]: no }, features: { mountCalls: yes } }))).toBe(false);
    expect(isGood(elsewhere({ namespaces: basics, features: { mountCalls: no } }))).toBe(false);
  });
});

describe('the command line', () => {
  test.each([
    [[], 'nsclone: a command is missing; see nsclone --help\n'],
    [['doktor'], "nsclone: there is no command 'doktor'; see nsclone --help\n"],
    [['toString'], "nsclone: there is no command 'toString'; see nsclone --help\n"],
    [['--jsn'], "nsclone: there is no option '--jsn'; see nsclone --help\n"],
    [['a\u001B[31m'], String.raw`nsclone: there is no command 'a\x1b[31m'; see nsclone --help` + '\n'],
  ])('%j is not known', async (argv, problems) => {
    expect(await executed(...argv)).toEqual({ code: 2, output: '', problems });
  });

  test.each([['--jsn'], ['more'], ['--json=yes']])('nor is doctor %s', async (argument) => {
    const { code, output, problems } = await executed('doctor', argument);
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(problems).toMatch(/^nsclone doctor: .*; see nsclone doctor --help\n$/);
  });

  test('--help lists the commands, and each has its own', async () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const { code, output } = await executed(...argv);
      expect(code).toBe(0);
      expect(output).toMatch(/^ {2}doctor {2}\w/m);
    }
    for (const flag of ['--help', '-h']) {
      const { code, output } = await executed('doctor', flag, '--json');
      expect(code).toBe(0);
      expect(output).toMatch(/^Usage: nsclone doctor/);
      expect(output).toContain('--json');
    }
  });
});

describe('as a program', () => {
  test('it is what the package says', () => {
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> };
    expect(join(root, bin['nsclone']!)).toBe(command);
    const { stdout, stderr, status } = spawnSync(command, ['doctor', '--json'], { encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual(support);
    expect({ stderr, status }).toEqual({ stderr: '', status: isGood(support) ? 0 : 1 });
  });

  test('--version is that of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout).toBe(`nsclone ${version}\n`);
  });

  test('ends with 1 where the basics are refused', async () => {
    const sysctl = { 'user.max_net_namespaces': '0' };
    const { code, stdout } = await run(process.execPath, [command, 'doctor'], { ...owned(0), sysctl });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}net +no {3}sysctl: sysctl user\.max_net_namespaces is 0\n +-> set it to 10000/m);
  });

  test('is not disturbed by a reader that has read enough', () => {
    const line = '"$@" | head -1; echo "${PIPESTATUS[0]}"';
    const { stdout, stderr } = spawnSync('bash', ['-c', line, 'bash', process.execPath, command, 'doctor'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^Linux .*\n[01]\n$/);
  });

  /** What it prints on a terminal. */
  const onTerminal = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const options: CloneOptions = { flags: Flags.NONE, env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env } };
    const child = await clone(process.execPath, [command, 'doctor'], { ...options, pty: true });
    let text = '';
    for await (const part of child.pty) text += String(part);
    await child.exited;
    return text;
  };
  test('has colours on a terminal, and not where NO_COLOR or TERM say no', async () => {
    expect(await onTerminal({})).toContain(`${escape}32myes${escape}0m`);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const text = await onTerminal(env);
      expect(text).toMatch(/mnt +yes/);
      expect(text).not.toContain(escape);
    }
  });
});

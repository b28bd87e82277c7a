// What an editor shows: the form in use and its own words, short; names to choose from; and errors that name the option.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LanguageServer, type Position } from '../support/language-server';
import { slow } from '../support/slow';

const root = join(__dirname, '../..');

// Each line `//  ^?` is about what is above the caret, and says what is shown there.
const shown = `
import { clone, type CloneOptions, plan, record, run, runIn } from '../../lib';
declare const options: CloneOptions;
declare const program: ReturnType<typeof programOf>;
const programOf = () => record((c) => ({ pid: c.getpid() }));
await clone('true');
//    ^? clone<"pipe", false>(command: string, options?: CloneOptions<"pipe", false> | undefined): Promise<ClonedCommand<"pipe", false>>
await clone('true', { stdio: 'ignore' });
//    ^? clone<"ignore", false>(command: string, options?: CloneOptions<"ignore", false> | undefined): Promise<ClonedCommand<"ignore", false>>
await clone('ls', ['-l']);
//    ^? clone<"pipe", false>(command: string, args: readonly string[] | undefined, options?: CloneOptions<"pipe", false> | undefined): Promise<ClonedCommand<"pipe", false>>
const child = await clone('ls', ['-l'], { stdio: ['ignore', 'pipe', 'inherit'] });
//    ^? const child: ClonedCommand<readonly ["ignore", "pipe", "inherit"], false>
child.stdout;
//    ^? (property) ClonedProcess<undefined, null, Stream.Readable, null, null>.stdout: Stream.Readable
const shell = await clone('sh', { pty: true });
//    ^? const shell: ClonedCommand<"pipe", true>
const any = await clone('ls', options);
//    ^? const any: ClonedCommand<Stdio, PtyOption>
const made = plan('ls', { stdio: 'inherit' });
//    ^? const made: Plan<"inherit", false>
await clone(made);
//    ^? clone<"inherit", false, "inherit">(plan: Plan<"inherit", false>, options?: StartOptions<"inherit"> | undefined): Promise<ClonedCommand<"inherit", false>>
await run('ls', ['-l']);
//    ^? run<"utf8">(command: string, args: readonly string[] | undefined, options?: RunOptions<"utf8"> | undefined): Promise<RunResult<string>>
await run('ls', { encoding: null });
//    ^? run<null>(command: string, options?: RunOptions<null> | undefined): Promise<RunResult<Buffer<ArrayBufferLike>>>
runIn('/run/netns/blue', () => 5);
//^? runIn<number>(target: JoinTarget, fn: () => number): number
export { any, shell };
`;

// Names are completed where the caret points to.
const completed = `
import { clone } from '../../lib';
await clone('true', { capabilities: [''] });
//                                    ^ CAP_NET_ADMIN CAP_CHECKPOINT_RESTORE
await clone('true', [], { capabilities: { ambient: [''] } });
//                                                   ^ CAP_NET_ADMIN
await clone('true', { securebits: [''] });
//                                  ^ NOROOT NOROOT_LOCKED SECBIT_KEEP_CAPS
await clone('true', { killSignal: '' });
//                                 ^ SIGTERM SIGRTMIN SIGRTMIN+1 SIGRTMAX-30
await clone('true', { stdio: ['pipe', ''] });
//                                     ^ ignore inherit socket
await clone('true', { hold: true,  });
//                               ^ hostname pty stdio
`;

/** Where the carets of a text point to, and what stands behind them. */
function carets(text: string, caret: string): (Position & { readonly says: string })[] {
  return text.split('\n').flatMap((comment, index) => {
    const character = comment.indexOf(caret);
    if (!comment.startsWith('//') || character < 0) return [];
    return [{ line: index - 1, character, says: comment.slice(character + caret.length).trim() }];
  });
}

async function within(text: string, use: (server: LanguageServer) => Promise<void>): Promise<void> {
  const server = await LanguageServer.open(join(__dirname, 'shown.ts'), text);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

test('the form that is in use is shown, in its own words', async () => {
  await within(shown, async (server) => {
    const about = async (position: Position): Promise<string> =>
      (await server.hover(position)).replace(/^\(alias\) function /, '');
    for (const { says, ...position } of carets(shown, '^?')) {
      const text = await about(position);
      expect(text.slice(0, says.length)).toBe(says);
      expect(text.slice(says.length)).toMatch(/^($|[A-Z])/);
    }
    const [short, , withArguments] = carets(shown, '^?');
    expect(await about(short!)).toContain('Starts a command without arguments');
    expect(await about(withArguments!)).toContain('Starts a command, with namespaces');
    for (const position of carets(shown, '^?').slice(0, 3)) expect(await about(position)).not.toMatch(/\b[Pp]lan\b/);
  });
});

test('names are completed', async () => {
  await within(completed, async (server) => {
    for (const { says, ...position } of carets(completed, '^')) {
      expect(await server.completions(position)).toEqual(expect.arrayContaining(says.split(' ')));
    }
  });
});

// A call that is refused, the text that is underlined, and the last thing that is said of it.
const errors: readonly (readonly [call: string, at: string, says: string])[] = [
  ['clone(42)', '42', "Argument of type 'number' is not assignable to parameter of type 'string | Plan"],
  ['clone({})', '{}', "Argument of type '{}' is not assignable to parameter of type 'string | Plan"],
  ["clone('ls', { hostnam: 'x' })", 'hostnam:', "Did you mean to write 'hostname'?"],
  ["clone('ls', [], { hostnam: 'x' })", 'hostnam:', "Did you mean to write 'hostname'?"],
  ["clone('ls', { hostname: 5 })", 'hostname:', "Type 'number' is not assignable to type 'string'."],
  ["clone('ls', [], { hostname: 5 })", 'hostname:', "Type 'number' is not assignable to type 'string'."],
  ["clone('ls', { killSignal: 'SIGTREM' })", 'killSignal:', 'Did you mean \'"SIGTERM"\'?'],
  ["clone('ls', { stdio: ['pipe', 'pip'] })", "'pip']", 'Did you mean \'"pipe"\'?'],
  ["clone('ls', { capabilities: ['CAP_NOPE'] })", "'CAP_NOPE'", "not assignable to type 'CapabilityName'."],
  ["clone('ls', { mounts: [{ type: 'proc', targt: '/' }] })", 'targt:', "Did you mean to write 'target'?"],
  ["clone('ls', { pty: { colums: 5 } })", 'colums:', "Did you mean to write 'columns'?"],
  ["clone(plan('ls'), { hostname: 'x' })", 'hostname:', "'hostname' does not exist in type 'StartOptions<Stdio>'."],
  ['clone(record(() => {}), { hold: true })', 'hold:', "'hold' does not exist in type 'RecordedOptions'."],
  ["run('ls', { maxBufer: 1 })", 'maxBufer:', "Did you mean to write 'maxBuffer'?"],
  ["run('ls', [], { maxBufer: 1 })", 'maxBufer:', "Did you mean to write 'maxBuffer'?"],
  ["run(plan('ls'), { hostname: 'x' })", 'hostname:', "'hostname' does not exist in type 'RunStartOptions"],
  [
    "runIn('/run/netns/blue', async () => 5)",
    '5)',
    'not assignable to type \'"a synchronous function returns no promise"\'.',
  ],
  ["plan('ls', { hostnam: 'x' })", 'hostnam:', "Did you mean to write 'hostname'?"],
];

test(
  'an error names the option that is wrong, where it stands',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'nsclone-errors-'));
    try {
      const lines = errors.map(([call]) => `void ${call};`);
      const source = [`import { clone, plan, record, run, runIn } from '${join(root, 'lib')}';`, ...lines].join('\n');
      writeFileSync(join(folder, 'calls.ts'), source);
      const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')] };
      const options = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['.'] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
      const told = stdout.split(/^(?=\S)/m).filter((text) => text.includes('calls.ts('));
      expect(told).toHaveLength(errors.length);
      for (const [index, [, at, says]] of errors.entries()) {
        expect(told[index]).toContain(`calls.ts(${index + 2},${lines[index]!.indexOf(at) + 1}): `);
        expect(told[index]!.trimEnd().split('\n').at(-1)).toContain(says);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  slow(120_000),
);

// A program of a user of the package. It is compiled, not run: by every TypeScript that we support, against what is packed.
import {
  type ArgumentError,
  type CapabilityName,
  clone,
  type ClonedCommand,
  type ClonedProcess,
  type CloneOptions,
  constants,
  Flags,
  formatFlags,
  isArgumentError,
  Namespace,
  NamespaceWorker,
  parseFlags,
  plan,
  probe,
  record,
  run,
  runIn,
  setns,
  type SignalName,
  type Support,
  SyscallError,
  unshareSync,
} from 'nsclone';

export interface Settings {
  timeout?: number;
  user?: number;
  capabilities?: string[];
  signal?: string;
}

/** Options from settings that may lack anything: `undefined` is as good as nothing. */
export function optionsFor(settings: Settings): CloneOptions {
  return {
    flags: Flags.NEWUSER | Flags.NEWPID | parseFlags('NEWUTS'),
    timeout: settings.timeout,
    uid: settings.user,
    capabilities: settings.capabilities as CapabilityName[] | undefined,
    killSignal: settings.signal as SignalName | undefined,
  };
}

export async function firstLine(command: string): Promise<string> {
  await using child = await clone(command, ['--version'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    hostname: undefined,
  });
  const nothing: null = child.stdin;
  for await (const chunk of child.stdout) return String(chunk).split('\n')[0] ?? String(nothing);
  const { code, signal } = await child.exited;
  return signal ?? String(code);
}

export async function shell(columns: number): Promise<ClonedCommand<'pipe', true>> {
  const child = await clone('sh', { pty: { columns } });
  child.pty.write('exit\n');
  child.pty.resize(columns, 24);
  return child;
}

export async function everything(options: CloneOptions): Promise<ClonedProcess[]> {
  const made = plan('cat', options);
  console.log(String(made), formatFlags(options.flags ?? 0));
  const program = record((c) => {
    const sock = c.socket(constants.AF_INET, constants.SOCK_STREAM, 0);
    return { sock, ends: c.pipe2() };
  });
  const { results } = await clone(program, { flags: Flags.VM | Flags.FILES });
  const numbers: number[] = [results.sock, ...results.ends];
  unshareSync(Flags.NEWUTS);
  using namespace = Namespace.current('net');
  await setns(namespace, Flags.NEWNET);
  numbers.push(runIn(namespace, () => 1));
  await new NamespaceWorker('./worker.js', { join: [namespace], workerData: numbers }).terminate();
  const { stdout } = await run('id', { encoding: 'buffer', ...options, stdio: undefined });
  return [await clone(made), await clone('ls', [...stdout.toString(), ...numbers.map(String)], options)];
}

export function explain(error: unknown): string {
  if (error instanceof SyscallError) return error.hint ?? `${error.code} ${error.syscall} ${error.option}`;
  const refused: ArgumentError | undefined = isArgumentError(error) ? error : undefined;
  return refused?.option ?? String(error);
}

export async function missing(): Promise<string[]> {
  const { namespaces, features }: Support = await probe();
  return [namespaces.user, features.proc].flatMap((answer) => (answer.available ? [] : [answer.hint ?? answer.cause]));
}

// @ts-expect-error -- a number is no command
void clone(42);
// @ts-expect-error -- nor is an object
void clone({});
// @ts-expect-error -- nor a command line
void clone(['ls', '-l']);
// @ts-expect-error -- no such option
void clone('ls', [], { hostnam: 'box' });
// @ts-expect-error -- no such capability
void clone('ls', { capabilities: ['CAP_NOPE'] });
// @ts-expect-error -- no such signal
void run('ls', { killSignal: 'SIGTREM' });
// @ts-expect-error -- two of the flags are no numbers
void clone('ls', { flags: constants.CLONE_INTO_CGROUP | Flags.NEWPID });

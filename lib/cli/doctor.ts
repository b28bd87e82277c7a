// `nsclone doctor`: what probe() tells, for a person to read.
import type { Answer, Feature, Support } from '../../types/probe';
import type { NamespaceKind } from '../../types/flags';
import { printable } from '../errors/printable';
import { probe } from '../index';
import type { Command } from './command';

type Row = readonly [name: string, answer: Answer, meaning: string];

const kinds: Readonly<Record<NamespaceKind, string>> = {
  user: 'own ids and capabilities',
  mnt: 'own mounts',
  pid: 'own processes',
  net: 'own network',
  ipc: 'own message queues and shared memory',
  uts: 'own host name',
  cgroup: 'own view of cgroups',
  time: 'own clocks',
};

const groups: Readonly<Record<string, Readonly<Partial<Record<Feature, string>>>>> = {
  Ids: { subordinateIds: 'ids that are lent to us', idMapHelpers: 'maps of more ids than the own' },
  Mounts: {
    proc: 'a fresh /proc',
    mountCalls: 'what mounts are made by',
    overlay: 'layers, in a user namespace',
    idmappedMounts: 'other owners, in a user namespace',
  },
  Processes: {
    executableMemory: 'set-up by a program in memory',
    closeFds: 'no descriptors of ours in a command',
    clone3: 'clone3(2)',
    pidfd: 'pidfd_open(2)',
    cgroup: 'a cgroup to be born into',
  },
  Filters: {
    seccomp: 'filters of system calls',
    seccompListener: 'filters that ask',
    landlock: 'Landlock',
  },
};

/** What almost everything needs. */
const basics: readonly NamespaceKind[] = ['mnt', 'pid', 'net', 'ipc', 'uts'];

/** Whether commands can be started in new namespaces, with mounts of their own. */
export function isGood({ namespaces, features }: Support): boolean {
  return (
    basics.every((kind) => namespaces[kind].available) && features.mountCalls.available && features.closeFds.available
  );
}

const colours = { green: 32, red: 31, bold: 1, faint: 2 } as const;

type Paint = (text: string, colour: keyof typeof colours) => string;
const plain: Paint = (text) => text;
const painted: Paint = (text, colour) => `\u001B[${colours[colour]}m${text}\u001B[0m`;

/** `  proc             no   masked-proc: a fresh proc needs …`, and below it what to do. */
function lines([name, answer, meaning]: Row, width: number, paint: Paint): string[] {
  const first = `  ${name.padEnd(width)}  `;
  if (answer.available) {
    const detail = answer.detail === undefined ? meaning : `${meaning}: ${printable(answer.detail)}`;
    return [`${first}${paint('yes', 'green')}  ${paint(detail, 'faint')}`];
  }
  const { cause, detail, hint } = answer;
  const what = detail === undefined ? cause : `${cause}: ${printable(detail)}`;
  const found = `${first}${paint('no', 'red')}   ${what}`;
  return hint === undefined ? [found] : [found, `${' '.repeat(width + 9)}-> ${printable(hint)}`];
}

/** The table, with a line at its end that says what it comes to. */
export function table(support: Support, hasColours: boolean): string {
  const { kernel, namespaces, features } = support;
  const paint = hasColours ? painted : plain;
  const rows: [string, Row[]][] = [
    ['Namespaces', (Object.keys(kinds) as NamespaceKind[]).map((kind) => [kind, namespaces[kind], kinds[kind]])],
    ...Object.entries(groups).map(([title, group]): [string, Row[]] => [
      title,
      (Object.entries(group) as [Feature, string][]).map(([name, meaning]) => [name, features[name], meaning]),
    ]),
  ];
  const width = Math.max(...rows.flatMap(([, group]) => group.map(([name]) => name.length)));
  return [
    `Linux ${printable(kernel)}, user ${process.geteuid!()}, Node ${process.version}`,
    ...rows.flatMap(([title, group]) => [
      '',
      paint(title, 'bold'),
      ...group.flatMap((row) => lines(row, width, paint)),
    ]),
    '',
    isGood(support)
      ? 'Commands can be started in new namespaces here.'
      : 'Commands cannot be started in all of the usual namespaces here.',
    '',
  ].join('\n');
}

export const doctor: Command = {
  summary: 'what this host allows, what is in the way of the rest, and what to do',
  help: `Usage: nsclone doctor [--json]

Tries what this host allows the user who runs it, and leaves nothing. What is refused
is told with its cause, and with what to do where that is known.

  --json    the same as JSON, as probe() has it
  --help    this

It ends with 0 where commands can be started in new mnt, pid, net, ipc and uts
namespaces with mounts of their own, and with 1 where they cannot.
`,
  options: { json: { type: 'boolean' } },
  allowPositionals: false,

  async run({ json }, _positionals, output) {
    const support = await probe();
    output.write(json === true ? `${JSON.stringify(support, null, 2)}\n` : table(support, output.hasColours));
    return isGood(support) ? 0 : 1;
  },
};

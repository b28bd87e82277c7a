// What is told of a sandbox while it is there, and what it waits for: descriptors of reports, of waiting, of locks.
import { closeSync, openSync, read, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

import { constants, perform, record, type ClonedProcess, type CloneOptions, type NamespaceKind } from '../../lib/index';
import type { Line, Shared } from './line';
import { type Outside, whereOutside } from './operations';
import { refusal, refusalOf } from './words';

/** In the order of the reports; a user namespace is in none. */
const told: readonly (readonly [NamespaceKind, Shared | undefined])[] = [
  ['cgroup', 'cgroup'],
  ['ipc', 'ipc'],
  ['mnt', undefined],
  ['net', 'net'],
  ['pid', 'pid'],
  ['uts', 'uts'],
];

const readSome = promisify(read);

/** Until something can be read, or there is nobody to write. */
async function until(descriptor: number): Promise<void> {
  await readSome(descriptor, Buffer.alloc(1), 0, 1, null).catch(() => undefined);
}

function write(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch (error) {
    throw refusalOf('Write to info_fd', error);
  }
}

function namespacesOf(child: ClonedProcess, { unshare }: Line): [string, bigint][] {
  const isTold = (kind: Shared | undefined): boolean =>
    kind === undefined || unshare.has(kind) || (kind === 'cgroup' && unshare.has('cgroup-try'));
  return told
    .filter(([, kind]) => isTold(kind))
    .map(([kind]) => {
      const namespace = child.namespace(kind);
      const { id } = namespace;
      namespace.close();
      return [`${kind}-namespace`, id];
    });
}

interface Told {
  readonly ids: readonly (readonly [string, bigint | number])[];
  readonly pid: number;
}

/**
 * Whom a report is of. Our pid 1 can be looked into by nobody but root, and reports are for who joins namespaces by `/proc/PID/ns`: to
 * others the process is told that pid 1 has started, once it is there.
 */
function pidOf(child: ClonedProcess, hasInit: boolean): number {
  if (!hasInit || process.getuid!() === 0) return child.pid;
  try {
    const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
    return Number(first) || child.pid;
  } catch {
    return child.pid;
  }
}

function report({ ids, pid }: Told, { descriptors }: Line): void {
  const fields = [['child-pid', pid] as const, ...ids].map(([name, value]) => `"${name}": ${value}`);
  const [info, json] = [descriptors.get('info-fd'), descriptors.get('json-status-fd')];
  if (info !== undefined) write(info, `{\n    ${fields.join(',\n    ')}\n}\n`);
  if (json !== undefined) write(json, `{ ${fields.join(', ')} }\n`);
}

/** The stops that reports and waits need. */
export function holdsOf({ descriptors }: Line): Pick<CloneOptions, 'hold'> {
  if (descriptors.has('userns-block-fd')) return { hold: descriptors.has('block-fd') ? ['maps', 'exec'] : 'maps' };
  const reports = (['info-fd', 'json-status-fd', 'block-fd'] as const).some((name) => descriptors.has(name));
  return reports ? { hold: true } : {};
}

/** What is to be done with a child that was started with {@link holdsOf}; undefined where there is nothing to do. */
export function attendance(
  line: Line,
  exitCode: (child: ClonedProcess) => Promise<number>,
): ((child: ClonedProcess) => Promise<void>) | undefined {
  if (holdsOf(line).hold === undefined) return undefined;
  const { descriptors, unshare, set } = line;
  const hasInit = unshare.has('pid') && !set.has('as-pid-1');
  const [maps, block, json] = (['userns-block-fd', 'block-fd', 'json-status-fd'] as const).map((name) =>
    descriptors.get(name),
  );
  const attend = async (child: ClonedProcess): Promise<void> => {
    const ids = namespacesOf(child, line);
    const isWaitedFor = maps !== undefined || block !== undefined;
    // Who is waited for must know of whom.
    if (isWaitedFor) report({ ids, pid: child.pid }, line);
    if (maps !== undefined) {
      await until(maps);
      await child.start();
    }
    if (block !== undefined) await until(block);
    try {
      if (maps === undefined || block !== undefined) await child.start();
    } finally {
      if (!isWaitedFor) report({ ids, pid: pidOf(child, hasInit) }, line);
    }
    if (json === undefined) return;
    const code = await exitCode(child);
    try {
      writeSync(json, `{ "exit-code": ${code} }\n`);
    } catch {
      // Nobody is there who could be told.
    }
  };
  return async (child) => {
    try {
      await attend(child);
    } catch (error) {
      // What nobody could be told of does not go on.
      child.kill('SIGKILL');
      throw error;
    }
  };
}

/** No link leads out of what is bound. */
function openBelow({ source, below, isTop }: Outside): number {
  const { O_CLOEXEC, O_PATH, RESOLVE_BENEATH, RESOLVE_IN_ROOT } = constants;
  if (below === '') return openSync(source, 'r');
  const top = openSync(source, O_PATH);
  try {
    const how = { flags: O_CLOEXEC, resolve: isTop ? RESOLVE_IN_ROOT : RESOLVE_BENEATH };
    return perform(record((c) => ({ it: c.openat2(top, below, how) }))).it;
  } finally {
    closeSync(top);
  }
}

/** Takes the locks; each belongs to the open file, which whoever has it holds. */
export function lockFiles(line: Line): number[] {
  return line.locks.map((path) => {
    const outside = whereOutside(path, line.operations);
    if (outside === undefined) throw refusal(`--lock-file is for what is bound from outside, which ${path} is not`);
    try {
      const descriptor = openBelow(outside);
      try {
        perform(record((c) => void c.fcntl(descriptor, constants.F_OFD_SETLK, { type: constants.F_RDLCK })));
      } catch (error) {
        closeSync(descriptor);
        throw refusalOf(`Unable to lock file ${path}`, error);
      }
      return descriptor;
    } catch (error) {
      throw (error as { option?: unknown }).option === 'argv'
        ? error
        : refusalOf(`Unable to open lock file ${path}`, error);
    }
  });
}

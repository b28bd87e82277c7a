// Step `sysctl`: kernel parameters of namespaces that are new here, see sysctl(8).
import { plainObject, string } from '../check';
import { invalidArgValue } from '../errors/argument-error';
import type { Hint } from '../errors/hint';
import { Flags } from '../flags';
import { isMapped } from '../host/ourselves';
import { needs } from '../assembly/needs';
import { mapsZero, outsideID } from '../assembly/ids';
import type { Request } from '../assembly/request';
import type { Step } from '../assembly/step';
import { writeProcFile } from './proc-file';

/** Which namespace a parameter belongs to; what is not here belongs to the host. */
const owners: readonly (readonly [name: RegExp, flag: Flags])[] = [
  [/^net\./, Flags.NEWNET],
  [/^kernel\.(?:msg|sem|shm)/, Flags.NEWIPC],
  [/^fs\.mqueue\./, Flags.NEWIPC],
  [/^user\./, Flags.NEWUSER],
];

const notOurs = 'belongs to the host, or to a namespace whose parameters are not set here';
/** Parameters that have an option of their own. */
const otherWay: Readonly<Record<string, string>> = {
  'kernel.hostname': 'is set by the option hostname',
  'kernel.domainname': 'is set by the option domainname',
};

/** 'net.ipv4.conf.eth0/1.forwarding' → 'sys/net/ipv4/conf/eth0.1/forwarding', as sysctl(8) has it. */
function pathOf(name: string): string {
  return `sys/${name.replaceAll(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))}`;
}

/** The one parameter whose value is ids: two groups. */
const groupRange = 'net.ipv4.ping_group_range';

/** The first of the two that is not mapped, which the kernel refuses; of a joined user namespace only the kernel knows. */
function unmappedGroup(request: Request): number | undefined {
  if (request.joinsUser) return undefined;
  const value = request.sysctl.find(({ name }) => name === groupRange)?.value ?? '';
  return value
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(Number)
    .find((group) =>
      request.creates(Flags.NEWUSER) ? outsideID(request.gidMap, group) === undefined : !isMapped('gid', group),
    );
}

/** Those of an ipc namespace are files of root of the user namespace that owns it. */
function whyReadOnly(option: string, request: Request): Hint {
  const owner = owners.find(([pattern]) => pattern.test(option.slice('sysctl.'.length)));
  const belongsToRoot = owner?.[1] === Flags.NEWIPC && request.creates(Flags.NEWUSER);
  return belongsToRoot && !(mapsZero(request.uidMap) && mapsZero(request.gidMap))
    ? 'it belongs to id 0, which has no place in the user namespace; see uidMap and gidMap'
    : 'it can be read here, but only the host may change it';
}

export const sysctl: Step = {
  name: 'sysctl',
  options: ['sysctl'],
  onlyWhenGiven: true,
  after: { namespaces: 'a parameter belongs to the namespace of the process that opens its file' },

  check(given, request) {
    request.sysctl = Object.entries(plainObject(given.sysctl, 'sysctl')).map(([name, value]) => {
      const option = `sysctl.${name}`;
      if (!/^\w+\.[\w.\-/]+$/.test(name) || name.split(/[./]/).includes('')) {
        throw invalidArgValue('sysctl', name, "must have names such as 'net.ipv4.ip_forward'");
      }
      return { name, path: pathOf(name), value: string(value, option, { nonEmpty: true }) };
    });
  },

  settle(request) {
    for (const { name } of request.sysctl) {
      const owner = owners.find(([pattern]) => pattern.test(name));
      const option = `sysctl.${name}`;
      if (owner === undefined) throw invalidArgValue(option, name, otherWay[name] ?? notOurs);
      needs(request, option, owner[1], 'without it the parameter of the host would be changed');
    }
  },

  emit(writer, request) {
    for (const { name, path, value } of request.sysctl) {
      writer.about(this.name, `sysctl.${name}`).subject(`/proc/${path}`);
      writeProcFile(writer, path, value);
    }
  },

  hint(code, label, request, syscall) {
    if (code === 'EXDEV') return 'something is mounted over it here (inside a container?), so it is not to be set';
    if (code === 'EROFS') return '/proc/sys is mounted read-only here (inside a container?)';
    if (code === 'ENOENT' && syscall === 'write') return 'the kernel does not know this value';
    if (code === 'ENOENT') return 'this kernel has no such parameter, or only the first namespace has it';
    if (code === 'EACCES') return whyReadOnly(label.option ?? '', request);
    if (code === 'EINVAL' && label.option === `sysctl.${groupRange}`) {
      const unmapped = unmappedGroup(request);
      if (unmapped !== undefined) return `group ${unmapped} has no place in the user namespace; see gidMap`;
    }
    if (code === 'EINVAL') return 'the kernel does not take this value';
    return undefined;
  },
};

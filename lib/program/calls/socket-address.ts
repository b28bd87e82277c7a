// Socket addresses as the kernel's `struct sockaddr`, and back to text.
import { isUint8Array } from 'node:util/types';

import { integer, plainObject, string } from '../../check';
import { invalidArgType, invalidArgValue } from '../../errors/argument-error';
import { constants } from '../../kernel/constants';
import { part } from './option';

const { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX } = constants;

/** `sun_path` has 108 bytes, the last a NUL. */
const longestPath = 107;

const keys = ['address', 'port', 'path', 'abstract', 'pid', 'groups'] as const;

/** The bytes of an address. @throws ArgumentError */
export function socketAddress(value: unknown, option: string): Uint8Array {
  if (isUint8Array(value)) return Uint8Array.from(value);
  const given = plainObject(value, option, keys);
  if (given.address !== undefined) return internetAddress(given.address, given.port, option);
  if (given.path !== undefined) return unixPath(given.path, option);
  if (given.abstract !== undefined) return abstractName(given.abstract, option);
  if (given.groups !== undefined) return netlinkAddress(given.pid, given.groups, option);
  throw invalidArgType(
    option,
    'a socket address: { address, port }, { path }, { abstract }, { groups } or bytes',
    value,
  );
}

function internetAddress(address: unknown, port: unknown, option: string): Uint8Array {
  const text = string(address, part(option, '.address'));
  const number = integer(port, part(option, '.port'), 0, 0xffff);
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (four?.every((byte) => byte <= 255)) {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt16LE(AF_INET, 0);
    bytes.writeUInt16BE(number, 2);
    bytes.set(four, 4);
    return bytes;
  }
  const [host = '', zone = '0'] = text.split('%');
  // The URL parser knows what an IPv6 address is, and is there already; node:net takes a millisecond to load.
  const url = `http://[${host}]`;
  if (!host.includes(':') || !URL.canParse(url))
    throw invalidArgValue(part(option, '.address'), text, 'must be an IPv4 or IPv6 address');
  if (!/^\d{1,10}$/.test(zone)) throw invalidArgValue(part(option, '.address'), text, 'must have its zone as a number');
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(AF_INET6, 0);
  bytes.writeUInt16BE(number, 2);
  groupsOf(new URL(url).hostname.slice(1, -1)).forEach((group, index) => bytes.writeUInt16BE(group, 8 + index * 2));
  bytes.writeUInt32LE(integer(Number(zone), part(option, '.address'), 0, 0xffffffff), 24);
  return bytes;
}

/** The eight groups of an IPv6 address as URLs write it: hexadecimal, with one '::' at most. */
function groupsOf(address: string): number[] {
  const parse = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [before = '', after] = address.split('::');
  if (after === undefined) return parse(before);
  const [head, tail] = [parse(before), parse(after)];
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

function unixPath(path: unknown, option: string): Uint8Array {
  if (typeof path === 'string' && path.startsWith('\0')) return abstractName(path.slice(1), option);
  const text = string(path, part(option, '.path'), { nonEmpty: true, maxBytes: longestPath });
  return unixAddress(`${text}\0`);
}

function abstractName(name: unknown, option: string): Uint8Array {
  if (typeof name !== 'string') throw invalidArgType(part(option, '.abstract'), 'of type string', name);
  const bytes = Buffer.byteLength(name);
  if (bytes > longestPath)
    throw invalidArgValue(part(option, '.abstract'), name, `must not be longer than ${longestPath} bytes`);
  // Its length is part of the name: no NUL at the end.
  return unixAddress(`\0${name}`);
}

function unixAddress(text: string): Uint8Array {
  const name = Buffer.from(text);
  const bytes = Buffer.alloc(2 + name.length);
  bytes.writeUInt16LE(AF_UNIX, 0);
  bytes.set(name, 2);
  return bytes;
}

function netlinkAddress(pid: unknown, groups: unknown, option: string): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(AF_NETLINK, 0);
  bytes.writeUInt32LE(integer(pid ?? 0, part(option, '.pid'), 0, 0xffffffff), 4);
  bytes.writeUInt32LE(integer(groups, part(option, '.groups'), 0, 0xffffffff), 8);
  return bytes;
}

/** `{AF_INET, 127.0.0.1:80}`; the bytes where the family is another one. */
export function spellSocketAddress(bytes: Buffer): string {
  const family = bytes.length < 2 ? -1 : bytes.readUInt16LE(0);
  if (family === AF_INET && bytes.length === 16) {
    return `{AF_INET, ${[...bytes.subarray(4, 8)].join('.')}:${bytes.readUInt16BE(2)}}`;
  }
  if (family === AF_INET6 && bytes.length === 28) {
    const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + index * 2).toString(16)).join(':');
    // As URLs write it, the longest run of zeros left out.
    return `{AF_INET6, ${new URL(`http://[${groups}]`).hostname}:${bytes.readUInt16BE(2)}}`;
  }
  if (family === AF_UNIX) {
    const name = bytes.toString('utf8', 2);
    return `{AF_UNIX, "${name.startsWith('\0') ? `@${name.slice(1)}` : name.replace(/\0$/, '')}"}`;
  }
  if (family === AF_NETLINK && bytes.length === 12) {
    return `{AF_NETLINK, pid=${bytes.readUInt32LE(4)}, groups=0x${bytes.readUInt32LE(8).toString(16)}}`;
  }
  return `<${bytes.toString('hex')}>`;
}

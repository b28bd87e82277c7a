// An HTTP proxy of this process in the network of a child: the child's only way out, to the hosts that are allowed.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';

import { clone, type ClonedProcess, constants, Flags, record } from 'nsclone';

const { AF_INET, SOCK_STREAM, SOCK_CLOEXEC } = constants;
const here = { address: '127.0.0.1', port: 3128 } as const;

export const proxyAddress = `http://${here.address}:${here.port}`;

/** A listening socket lies in the network that it was made in, whoever accepts of it. */
async function listenIn(child: ClonedProcess): Promise<number> {
  const user = child.namespace('user');
  const net = child.namespace('net');
  try {
    const program = record((c) => {
      // Only in the user namespace that owns the network an ordinary user may enter it.
      c.setns(user.fd, Flags.NEWUSER);
      c.setns(net.fd, Flags.NEWNET);
      const sock = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      c.bind(sock, here);
      c.listen(sock, 128);
      return { sock };
    });
    // Not our memory as well: others in that user namespace could read it.
    return (await clone(program, { flags: Flags.FILES })).results.sock;
  } finally {
    user.close();
    net.close();
  }
}

/** Headers that a proxy has to keep to itself, RFC 9110, 7.6.1. */
const ofOneConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'upgrade',
]);

/** What is checked is what is connected to, however a request spells it. */
function upstreamOf(url: string, allow: readonly string[]): { host: string; port: number } | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port } = new URL(url);
  const to = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) };
  const allowed = allow.some((one) => [hostname, `${hostname}:${to.port}`].includes(one.toLowerCase()));
  return protocol === 'http:' && allowed ? to : undefined;
}

function pass(from: IncomingMessage, answer: ServerResponse, allow: readonly string[]): void {
  const to = upstreamOf(from.url!, allow);
  if (to === undefined) {
    answer.writeHead(403).end('not allowed\n');
    return;
  }
  const { host, pathname, search } = new URL(from.url!);
  const passed = Object.fromEntries(Object.entries(from.headers).filter(([name]) => !ofOneConnection.has(name)));
  const onward = request({ ...to, method: from.method, path: pathname + search, headers: { ...passed, host } });
  const fail = (): unknown => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end('not reached\n'));
  onward.on('error', fail);
  onward.on('response', (theirs) => {
    if (theirs.statusCode! < 200) fail();
    else pipeline(theirs, answer.writeHead(theirs.statusCode!, theirs.headers), () => {});
  });
  answer.on('close', () => onward.destroy());
  from.pipe(onward);
}

function tunnel(from: IncomingMessage, client: Duplex, allow: readonly string[]): void {
  const to = upstreamOf(`http://${from.url}`, allow);
  client.on('error', () => client.destroy());
  if (to === undefined) {
    client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    return;
  }
  const upstream = connect(to, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    client.pipe(upstream).pipe(client);
  });
  upstream.on('error', () => client.end(upstream.bytesRead === 0 ? 'HTTP/1.1 502 Bad Gateway\r\n\r\n' : undefined));
  upstream.on('close', () => client.end());
  client.on('close', () => upstream.destroy());
}

/** @returns what ends it, and all that it has passed on */
export async function serveProxy(child: ClonedProcess, allow: readonly string[]): Promise<() => void> {
  const server = createServer((from, answer) => pass(from, answer, allow));
  const clients = new Set<Duplex>();
  server.on('connect', (from: IncomingMessage, client: Duplex) => tunnel(from, client, allow));
  server.on('connection', (client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
  });
  const fd = await listenIn(child);
  await once(server.listen({ fd }), 'listening');
  return () => {
    server.close();
    for (const client of clients) client.destroy();
  };
}

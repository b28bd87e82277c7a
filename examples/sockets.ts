// sockets: a server and a client of two other networks, both of them sockets of this process, which stays where it is.
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';

import { clone, type ClonedProcess, constants, Flags, record, run } from 'nsclone';

const { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } = constants;
const port = 80;

/** Two networks of one user namespace, of which an ordinary user is the root, with a cable between them. */
async function networks(): Promise<[left: ClonedProcess, right: ClonedProcess]> {
  const waits = { stdio: 'ignore', parentDeathSignal: 'SIGKILL' } as const;
  const left = await clone('sleep', ['infinity'], {
    ...waits,
    flags: Flags.NEWUSER | Flags.NEWNET,
    uidMap: 'root',
    gidMap: 'root',
  });
  const user = { pid: left.pid, flags: Flags.NEWUSER };
  const right = await clone('sleep', ['infinity'], { ...waits, join: user, flags: Flags.NEWNET });
  const ip = async (join: ClonedProcess, line: string): Promise<void> => {
    const { code, stderr } = await run('ip', line.split(' '), { join });
    if (code !== 0) throw new Error(`ip ${line}: ${stderr}`);
  };
  await ip(left, `link add cable type veth peer name cable netns ${right.pid}`);
  for (const [network, address] of [
    [left, '10.0.0.1/24'],
    [right, '10.0.0.2/24'],
  ] as const) {
    await ip(network, `address add ${address} dev cable`);
    await ip(network, 'link set cable up');
  }
  return [left, right];
}

/** A child that shares our table of descriptors makes a socket there, and ends. */
async function listenIn(network: ClonedProcess, address: string): Promise<number> {
  const program = record((c) => {
    c.setns(network.pidfd, Flags.NEWUSER | Flags.NEWNET);
    const socket = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c.bind(socket, { address, port });
    c.listen(socket, 16);
    return { socket };
  });
  return (await clone(program, { flags: Flags.FILES })).results.socket;
}

async function connectIn(network: ClonedProcess, address: string): Promise<number> {
  const program = record((c) => {
    c.setns(network.pidfd, Flags.NEWUSER | Flags.NEWNET);
    const socket = c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c.connect(socket, { address, port });
    return { socket };
  });
  return (await clone(program, { flags: Flags.FILES })).results.socket;
}

async function main(): Promise<void> {
  const [left, right] = await networks();
  const server = createServer((socket) => {
    console.log(`the server in the left network hears from ${socket.remoteAddress}`);
    socket.pipe(socket);
  });
  server.listen({ fd: await listenIn(left, '10.0.0.1') });

  const client = new Socket({ fd: await connectIn(right, '10.0.0.1') });
  client.setEncoding('utf8');
  client.write('hello through the cable');
  const [answer] = (await once(client, 'data')) as [string];
  console.log(`the client in the right network is ${client.localAddress}, and has back: ${answer}`);

  client.destroy();
  server.close();
  for (const network of [left, right]) {
    network.kill('SIGKILL');
    await network.exited;
  }
}

void main();

// worker-server: two HTTP servers on one port, each by a Worker in a network of its own, and one request to each.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

import { clone, Flags, Namespace, NamespaceWorker, run } from 'nsclone';

const port = 8080;

/** In the Worker: what it listens on is of its network. */
function serve(): void {
  const server = createServer((_request, response) => response.end(`${String(workerData)} on ${hostname()}\n`));
  // For this process it is the way in. A Namespace that nobody has any more is closed: this one is the server's.
  const network = Namespace.current('net');
  server.once('close', () => network.close());
  server.listen(port, '127.0.0.1', () => parentPort!.postMessage(network.fd));
}

async function request(network: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  const { stdout } = await run('/bin/bash', ['-c', script], { join: { fd: network } });
  return stdout.split('\r\n\r\n')[1]!;
}

async function main(): Promise<void> {
  const workers = ['blue', 'green'].map(
    (name) =>
      new NamespaceWorker(__filename, {
        workerData: name,
        flags: Flags.NEWNET | Flags.NEWUTS,
        hostname: `${name}-box`,
        loopback: true,
      }),
  );
  for (const started of workers.map((worker) => once(worker, 'message'))) {
    const [network] = (await started) as [number];
    process.stdout.write(await request(network));
  }
  for (const worker of workers) await worker.terminate();
}

/** An ordinary user may do all of this in a user namespace, which a process with threads cannot enter by itself. */
async function asRoot(): Promise<void> {
  const own = { flags: Flags.NEWUSER, uidMap: 'root', gidMap: 'root' } as const;
  const child = await clone(process.execPath, [__filename], { ...own, stdio: 'inherit' });
  process.exitCode = (await child.exited).code ?? 1;
}

if (!isMainThread) serve();
else void (process.geteuid!() === 0 ? main() : asRoot());

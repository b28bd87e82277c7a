// A way between us and a container that waits: a veth pair, 10.200.0.1 here and 10.200.0.2 there, see veth(4). Takes root.
import { type ClonedProcess, Flags, run, type RunOptions } from 'nsclone';

/** @throws where iproute2 is not there, or cannot do it */
async function ip(line: string, options: RunOptions = {}): Promise<void> {
  const { code, stderr } = await run('ip', line.split(' '), options).catch((cause: Error) => {
    throw new Error(`ip ${line}: ${cause.message}`, { cause });
  });
  if (code !== 0) throw new Error(`ip ${line}: ${stderr.trim()}`);
}

/** The function that it resolves with takes the pair away again: the kernel would, some time after the network has ended. */
export async function connectNetwork({ pid, pidfd }: ClonedProcess): Promise<() => Promise<void>> {
  const ours = `minibox${process.pid % 10_000_000}`;
  const there: RunOptions = { join: { pidfd, flags: Flags.NEWNET } };
  await ip(`link add ${ours} type veth peer name eth0 netns ${pid}`);
  const disconnect = async (): Promise<void> => {
    await run('ip', ['link', 'delete', ours]);
  };
  try {
    await ip(`address add 10.200.0.1/30 dev ${ours}`);
    await ip(`link set ${ours} up`);
    await ip('address add 10.200.0.2/30 dev eth0', there);
    await ip('link set eth0 up', there);
    await ip('route add default via 10.200.0.1', there);
    return disconnect;
  } catch (error) {
    await disconnect();
    throw error;
  }
}

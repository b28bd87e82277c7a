// A person at the terminal of a child.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { clone, type ClonedProcess, type CloneOptions } from '../../lib';
import { slow } from './slow';

/** A person at a terminal: types, and waits for what appears. */
export class Seat {
  readonly child: ClonedProcess;
  output = '';
  readonly #closed: Promise<unknown>;

  constructor(child: ClonedProcess) {
    this.child = child;
    this.#closed = once(child, 'close');
    child.pty!.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  static async at(command: string, args: string[], options: CloneOptions = {}): Promise<Seat> {
    const env = { PATH: process.env['PATH'], PS1: '> ', TERM: 'xterm', NO_COLOR: '1' };
    return new Seat(await clone(command, args, { pty: true, env, ...options }));
  }

  type(text: string): void {
    this.child.pty!.write(text);
  }

  /** Waits for a text behind what was waited for before, and takes all up to it. */
  async sees(text: string | RegExp): Promise<string> {
    for (const end = performance.now() + slow(10_000); performance.now() < end; await sleep(2)) {
      const found = typeof text === 'string' ? this.output.indexOf(text) : this.output.search(text);
      if (found < 0) continue;
      const length = typeof text === 'string' ? text.length : text.exec(this.output)![0].length;
      const taken = this.output.slice(0, found + length);
      this.output = this.output.slice(found + length);
      return taken;
    }
    throw new Error(`${String(text)} did not appear: ${JSON.stringify(this.output)}`);
  }

  /** How the program ended, when all is read. */
  async end(): Promise<{ code: number | null; signal: string | null }> {
    const { code, signal } = await this.child.exited;
    await this.#closed;
    return { code, signal };
  }
}

// From the call to the first byte of a child's stdout through a pipe.
import { spawn } from 'node:child_process';
import { loadLibrary } from '../contenders.mjs';
import { interleave } from '../interleave.mjs';
import { toFirstByte } from '../timing.mjs';

export const title = 'Call → first byte of stdout (/bin/echo)';
export const variants = ['echo'];

const ECHO = ['/bin/echo', ['x'], { stdio: ['ignore', 'pipe', 'ignore'] }];

export async function measure(variant, { missing, ...bench }) {
  const library = await loadLibrary(missing);
  return interleave(
    {
      spawn: () => firstByte(() => spawn(...ECHO)),
      clone: library && (() => firstByte(() => library.clone(...ECHO))),
    },
    { ...bench, missing, own: true },
  );
}

const firstByte = async (start) => ({ 'first byte': await toFirstByte(start) });

const at = (subject) => ['echo', 'first byte', subject];

export const goals = [{ of: at('clone'), to: at('spawn'), atMost: 0.6 }];

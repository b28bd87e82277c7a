// The filters that libseccomp makes of profiles, as runc has it make them.
import { spawnSync } from 'node:child_process';

import type { SeccompArchitecture, SeccompProfile } from '../../types/seccomp';
import { compiled, compiler } from '../support/compiled';
import { library, linesOf, tokens } from './reference-lines';

const isThere = compiler !== undefined && spawnSync(compiler, ['-shared', '-o', '/dev/null', ...library]).status === 0;

/** As `test()`, for what is compared with libseccomp. */
export function withLibseccomp(name: string, body: (() => void) | (() => Promise<unknown>)): void {
  if (isThere) test(name, body);
  else test.skip(`${name} (skipped: needs a C compiler and libseccomp.so.2)`, body);
}

/** libseccomp, for the tests of a file. */
export class Reference {
  readonly #program = isThere ? compiled('seccomp/reference', library) : { path: '' };

  #ask(lines: Iterable<string>): Buffer {
    const input = `${[...lines].join('\n')}\n`;
    const { status, stdout } = spawnSync(this.#program.path, { input, maxBuffer: 1 << 28 });
    if (status !== 0) throw new Error(`reference.c ended with ${status}`);
    return stdout;
  }

  /** A filter for each; undefined where libseccomp refuses the rules. */
  filtersOf(
    profiles: readonly SeccompProfile[],
    native: SeccompArchitecture,
    { tree = false } = {},
  ): (Uint8Array | undefined)[] {
    const output = this.#ask(profiles.flatMap((profile) => [...linesOf(profile, native, tree)]));
    const filters: (Uint8Array | undefined)[] = [];
    for (let at = 0; at < output.length;) {
      const length = output.readUInt32LE(at);
      filters.push(length === 0 ? undefined : output.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    return filters;
  }

  /** The number of a call; below zero where the architecture has none of its own. */
  numbersOf(architecture: SeccompArchitecture, names: readonly string[]): number[] {
    const output = this.#ask(names.map((name) => `resolve ${tokens[architecture]} ${name}`));
    return names.map((_, index) => output.readInt32LE(index * 4));
  }
}

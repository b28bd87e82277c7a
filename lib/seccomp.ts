// `nsclone/seccomp`: what the option `seccomp` does with a profile, and filters as text.
import type { CompiledFilter, CompileOptions, SeccompProfile } from '../types/seccomp';
import { ofCall } from './errors/caller';
import { compileFilter } from './seccomp/compile';
import { disassembleFilter } from './seccomp/disassemble';

export type {
  CompiledFilter,
  CompileOptions,
  SeccompAction,
  SeccompArchitecture,
  SeccompArgument,
  SeccompFlag,
  SeccompOperator,
  SeccompProfile,
  SeccompRule,
} from '../types/seccomp';

/**
 * The filter of a profile in the form of the OCI runtime specification, as the option `seccomp` installs it: what libseccomp and runc
 * make of the same profile, found by halves instead of one comparison after the other. `flags`, `listenerPath` and `listenerMetadata`
 * are no part of it: they say how it is installed.
 * @throws ArgumentError
 */
export function compile(profile: SeccompProfile, options?: CompileOptions): CompiledFilter {
  try {
    return compileFilter(profile, options);
  } catch (error) {
    throw ofCall(error, compile);
  }
}

/**
 * A filter as text: an instruction a line, with the names of system calls where it is known whose they are.
 * @param filter an array of `struct sock_filter`, from wherever
 * @throws ArgumentError
 */
export function disassemble(filter: Uint8Array): string {
  try {
    return disassembleFilter(filter);
  } catch (error) {
    throw ofCall(error, disassemble);
  }
}

// probe(): what this host allows the user that Node runs as.
import type { Support } from '../types/probe';
import { ofCall } from './errors/caller';
import { lookAround } from './probing/support';

/**
 * Tells what this host allows the user that Node runs as, and what is in the way of the rest: it tries it, in a few children with
 * throw-away namespaces, of which nothing is left. What is refused is an answer, and no error.
 *
 * It takes some milliseconds, in which the event loop goes on. Its answers are those of the moment.
 * @throws ArgumentError ERR_FEATURE_UNAVAILABLE_ON_PLATFORM where this is not Linux
 */
export async function probe(): Promise<Support> {
  try {
    return await lookAround();
  } catch (error) {
    throw ofCall(error, probe);
  }
}

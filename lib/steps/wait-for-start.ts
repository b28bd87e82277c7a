// A stop of the set-up: the child waits for start().
import type { Request } from '../assembly/request';
import type { HoldPoint } from '../assembly/settings';
import type { Writer } from '../program/writer';

/** Writes it; errors and those who read a listing know it by the point. */
export function holdHere(writer: Writer, request: Request, point: HoldPoint): void {
  writer.about('hold', 'hold').wait();
  if (request.holds.length > 1 || point !== 'exec') writer.remark(() => `whose start() ends the stop at '${point}'`);
}

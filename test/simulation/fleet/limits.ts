/** The invariant of keys with a limit of parallel calls, checked whenever a box takes one. */
import type { KeyLimits } from "../../../protocol/api/key-limits.ts";
import { broken } from "../broken.ts";
import type { KnownCall } from "./holds.ts";

/**
 * No more calls of a key are on boxes for callers that wait than it may have. One that Ollama has answered
 * is over, although its answer is on its way; so is one whose caller has left.
 * @throws {Broken}
 */
export function checkParallel(
  lane: string,
  limits: ReadonlyMap<string, KeyLimits>,
  calls: Iterable<KnownCall>,
): void {
  const most = limits.get(lane)?.parallel ?? null;
  if (most === null) return;
  const open = [...calls].filter(
    ({ call, exchanges }) =>
      call.plan.lane === lane &&
      call.isPlaced &&
      !call.isDone &&
      call.leftMs === null &&
      (exchanges.at(-1)?.overMs ?? null) === null,
  );
  if (open.length > most)
    broken(`${lane} has ${open.length} calls on boxes, and may have ${most} at once`);
}

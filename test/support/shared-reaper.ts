/**
 * One reaper for all stacks and agents of this process. Test files run one after another in a process,
 * and a reaper of its own would cost each of them a start of Node.
 */
import { type Reaper, startReaper } from "../../local/reaping.ts";

let reaper: Reaper | null = null;

/** It is never closed: it ends with this process. */
export function sharedReaper(): Reaper {
  reaper ??= startReaper();
  return reaper;
}

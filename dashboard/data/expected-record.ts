/** How long the record of a request is looked for. */
import { timeOf } from "../../protocol/uuid-time.ts";
import { nowMs } from "./clock.ts";

/** Most records arrive within seconds. An agent that is cut off sends its own later. */
const RECORDED_WITHIN_MS = 60_000;

/** Returns whether the record of a request may still be on its way. */
export const isExpected = (requestId: string): boolean =>
  nowMs.value - timeOf(requestId) < RECORDED_WITHIN_MS;

/** The facts of a call that the edge's end of its stream needs. */
import type { KeyEnd } from "../../../protocol/call-end.ts";
import type { StreamId } from "../../../protocol/frames.ts";
import type { Open } from "../../../protocol/messages.ts";
import type { EarlyAnswer } from "./early-answer.ts";

/**
 * `yields`: an agent that loses its tunnel ends the stream, since another box can serve the call.
 * `keyEnd`: of the caller's key, as known when the stream begins. Absent for other credentials.
 * `early`: the caller's answer, which has begun while the call was on another box.
 */
export type EdgeFacts = {
  id: StreamId;
  box: string;
  open: Open;
  yields?: boolean;
  keyEnd?: KeyEnd;
  early?: EarlyAnswer | null;
};

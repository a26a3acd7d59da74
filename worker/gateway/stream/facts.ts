/** The facts of a call that the edge's end of its stream needs. */
import type { StreamId } from "../../../protocol/frames.ts";
import type { KeyEnd, Open } from "../../../protocol/messages.ts";

/**
 * `yields`: an agent that loses its tunnel ends the stream, since another box can serve the call.
 * `keyEnd`: of the caller's key, as known when the stream begins. Absent for other credentials.
 */
export type EdgeFacts = {
  id: StreamId;
  box: string;
  open: Open;
  yields?: boolean;
  keyEnd?: KeyEnd;
};

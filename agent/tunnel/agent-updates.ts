/** Updates of the agent, as the tunnel and the agent see them. `update/` carries them out. */
import type { TakesUpdates, UpdateReport } from "../../protocol/update.ts";

/** The part of the agent that an update needs. */
export type UpdatedAgent = {
  /** Random for each process; the offer is for this one. */
  bootId: string;
  /** Returns the number of open requests of callers. */
  openRequests(): number;
  /** The report has changed. */
  changed(): void;
};

/** Updates, as the agent sees them. */
export type AgentUpdates = {
  readonly takes: TakesUpdates;
  /** The digest of the file that runs, if it can be the one that an edge serves; otherwise null. */
  readonly digest: string | null;
  report(): UpdateReport | null;
  attach(agent: UpdatedAgent): void;
  /** Takes the payload of UPDATE. @throws {FrameError} if it has the wrong shape */
  offered(payload: Uint8Array): void;
  /** The tunnel is up. */
  up(): void;
};

/** The arrival of a request, and its end. */
import type { FailedAt, Status } from "../../protocol/records.ts";

/** The arrival of a request on this box. */
export type ArrivalTimes = {
  /** Monotonic ms. */
  atMs: number;
  /**
   * Round trip of the tunnel at that time, ms; null if unknown, or if it did not use the tunnel.
   */
  tunnelMs: number | null;
  /** The edge, the listener of this agent, its bench, or its pins. */
  source: "edge" | "listener" | "bench" | "system";
};

/** The end of a request, as its record shows it. */
export type RequestEnding = {
  status: Status;
  /** The status sent to the caller. */
  httpStatus: number;
  failedAt: FailedAt | null;
  message: string | null;
  /** Number of times the tunnel was resumed during the request. */
  resumed: number;
};

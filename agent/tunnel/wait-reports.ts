/**
 * Reports the wait of one request to the edge, which begins the caller's answer at the first report.
 * Most requests never wait long enough for one. Pure.
 */
import {
  type Frame,
  FrameType,
  jsonBytes,
  type StreamId,
  streamFrame,
} from "../../protocol/frames.ts";
import { WAIT_REPORT_EVERY_MS, WAIT_REPORTED_MS } from "../../protocol/limits.ts";
import type { WaitReport } from "../../protocol/messages.ts";

export class WaitReports {
  readonly #arrivedMs: number;
  readonly #hadBegun: boolean;
  #newest: { report: WaitReport; frame: Frame; atMs: number } | null = null;

  /**
   * @param arrivedMs  when the request arrived, monotonic ms
   * @param hadBegun   the caller's answer had begun before that
   */
  constructor(arrivedMs: number, hadBegun = false) {
    this.#arrivedMs = arrivedMs;
    this.#hadBegun = hadBegun;
  }

  /** The caller's answer has begun, by a report at the latest. */
  get hasBegun(): boolean {
    return this.#hadBegun || this.#newest !== null;
  }

  /** The newest report; null before the first one. */
  get newest(): Frame | null {
    return this.#newest?.frame ?? null;
  }

  /** Returns whether a change may be reported now. */
  isDue(nowMs: number): boolean {
    return this.#newest === null
      ? nowMs - this.#arrivedMs >= WAIT_REPORTED_MS
      : nowMs - this.#newest.atMs >= WAIT_REPORT_EVERY_MS;
  }

  /** Returns the frame of a report, unless it only repeats the last one. */
  take(stream: StreamId, report: WaitReport, nowMs: number): Frame[] {
    const last = this.#newest?.report;
    // The estimate alone changes with each moment, and the edge can count too.
    if (last?.position === report.position && last.is_loading === report.is_loading) return [];
    const frame = streamFrame(FrameType.waiting, stream, 0, jsonBytes(report));
    this.#newest = { report, frame, atMs: nowMs };
    return [frame];
  }
}

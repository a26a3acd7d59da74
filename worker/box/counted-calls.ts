/**
 * The calls of keys with limits, on their way through this Box: each is counted by the object of its key
 * before its first frame leaves, and reported when it is over.
 */
import type { KeyLimits } from "../../protocol/api/key-limits.ts";
import type { LimitReached, OfferedCall } from "../keys/limits.ts";
import { retried } from "../retried.ts";
import type { AttachKey } from "./attach.ts";
import type { Attachment } from "./sockets.ts";

/** The streams of a Box, which survive its hibernation. */
export type OpenCalls = {
  /** Returns whether a stream has a socket, or lost it a moment ago and may attach again. */
  holds(id: string): boolean;
};

/** The object that counts for a key. */
export type CountsCalls = {
  admit(call: OfferedCall, limits: KeyLimits): Promise<LimitReached | null>;
  end(id: string, box: string): Promise<unknown>;
};

export type CountedCallsShell = {
  /** Called for each use: a stub that failed is not used again. */
  quotaOf(lineage: string): CountsCalls;
  wait(ms: number): Promise<void>;
  /** Lets a promise run beside the current call. */
  meanwhile(promise: Promise<unknown>): void;
  log(event: string, fields: Record<string, unknown>): void;
};

/** An object that is being moved or restarted fails the first call, not the second. */
const WAITS_MS = [0, 50, 250];

/** No call waits longer for its count. */
const COUNTED_WITHIN_MS = 5_000;

export class CountedCalls {
  readonly #shell: CountedCallsShell;
  readonly #calls: OpenCalls;
  /** Calls that have ended, and may still attach again to get their end. */
  readonly #ended = new Set<string>();
  /** Calls whose end is being reported. */
  readonly #ending = new Set<string>();

  constructor(shell: CountedCallsShell, calls: OpenCalls) {
    this.#shell = shell;
    this.#calls = calls;
  }

  /**
   * Counts a call. Returns the limit that it would exceed; null if it is admitted, or its key has no
   * limits.
   * @throws if the object of the key does not answer
   */
  async admit(key: AttachKey | null, call: OfferedCall): Promise<LimitReached | null> {
    if (key === null || key.limits === null || this.#ended.has(call.id)) return null;
    const { lineage, limits } = key;
    const isLate = this.#shell.wait(COUNTED_WITHIN_MS).then(() => {
      throw new Error("a count took too long");
    });
    isLate.catch(() => {}); // nobody may wait for it any more
    const admitting = this.#retried(() => this.#shell.quotaOf(lineage).admit(call, limits));
    return Promise.race([admitting, isLate]);
  }

  /** A call that was counted is not served here after all. */
  turnedAway(key: AttachKey | null, { id, box }: OfferedCall): void {
    if (key !== null && key.limits !== null) this.#end(key.lineage, id, box);
  }

  /** The agent has ended a call. Its place is free before its caller calls again. */
  ended(stream: Attachment): void {
    if (stream.kind !== "stream" || !stream.key?.counted) return;
    this.#ended.add(stream.id);
    this.#end(stream.key.counted.lineage, stream.id, stream.key.counted.box);
  }

  /** A socket is closed. The call of its stream is over, unless it has another, or may soon. */
  closed(socket: Attachment): void {
    if (socket.kind !== "stream" || !socket.key?.counted || this.#calls.holds(socket.id)) return;
    const { lineage, box } = socket.key.counted;
    if (!this.#ended.delete(socket.id)) this.#end(lineage, socket.id, box);
  }

  /** Returns which of these calls have a stream here, and which are over. */
  of(ids: readonly string[]): { held: string[]; over: string[] } {
    const over = ids.filter((id) => this.#ended.has(id) || this.#ending.has(id));
    return { held: ids.filter((id) => !over.includes(id) && this.#calls.holds(id)), over };
  }

  /** If this fails too, the object finds out before it refuses another call. */
  #end(lineage: string, id: string, box: string): void {
    this.#ending.add(id);
    const ending = this.#retried(() => this.#shell.quotaOf(lineage).end(id, box));
    const failed = (error: unknown) =>
      this.#shell.log("end_not_counted", { request_id: id, why: String(error).slice(0, 500) });
    this.#shell.meanwhile(ending.catch(failed).finally(() => this.#ending.delete(id)));
  }

  #retried<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
    return retried(WAITS_MS, attempt, { wait: this.#shell.wait });
  }
}

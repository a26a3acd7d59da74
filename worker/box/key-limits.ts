/**
 * Counts the calls of the keys that only this Box serves, in its storage: a call counts before its first
 * frame leaves, since the platform holds messages back until what was written before them is durable. So
 * no kill of the Box, of a Worker or of the agent admits a call too many, or keeps a place.
 */
import { GRACE_MS } from "../../protocol/limits.ts";
import { admitted, KeyCount, type LimitReached, NO_COUNT, released } from "../keys/limits.ts";
import type { AttachKey } from "./attach.ts";
import type { Attachment } from "./sockets.ts";

/** The streams of a Box, which survive its hibernation. */
export type OpenCalls = {
  /** Returns whether a stream has a socket, or lost it a moment ago and may attach again. */
  holds(id: string): boolean;
  /** When the agent connected, unix ms; null without one. */
  readonly agentSinceMs: number | null;
};

/** The storage of the platform that is read and written at once. */
type Kept = { get(name: string): unknown; put(name: string, value: unknown): void };

export class KeyLimitCounts {
  readonly #kept: Kept;
  readonly #calls: OpenCalls;
  /** Calls that have ended, and may still attach again to get their end. */
  readonly #ended = new Set<string>();

  constructor(kept: Kept, calls: OpenCalls) {
    this.#kept = kept;
    this.#calls = calls;
  }

  /**
   * Admits a call, which counts from now on, and only once: it may attach again. Returns the limit that
   * it would exceed; null for none.
   */
  admit(key: AttachKey | null, id: string, nowMs: number): LimitReached | null {
    if (key === null || key.limits === null) return null;
    const before = this.#countOf(key.id);
    if (id in before.open || this.#ended.has(id)) return null;
    const result = admitted(this.#withoutLost(before, nowMs), key.limits, id, nowMs);
    if ("reached" in result) return result.reached;
    this.#kept.put(nameOf(key.id), result.count);
    return null;
  }

  /** The agent has ended a call. Its place is free before its caller knows, who may call again at once. */
  ended(stream: Attachment): void {
    if (stream.kind !== "stream" || !stream.key?.isCounted) return;
    this.#ended.add(stream.id);
    this.#release(stream.key.id, stream.id);
  }

  /** A socket is closed. The call of its stream is over, unless it has another, or may soon. */
  closed(socket: Attachment): void {
    if (socket.kind !== "stream" || !socket.key?.isCounted || this.#calls.holds(socket.id)) return;
    if (!this.#ended.delete(socket.id)) this.#release(socket.key.id, socket.id);
  }

  #release(key: string, id: string): void {
    const before = this.#countOf(key);
    if (id in before.open) this.#kept.put(nameOf(key), released(before, id));
  }

  #countOf(key: string): KeyCount {
    const kept = this.#kept.get(nameOf(key));
    return kept === undefined ? NO_COUNT : KeyCount.parse(kept);
  }

  /**
   * Leaves out calls that a restart of the Box cut off, and that are not back after the grace period. A
   * restart closes all sockets without an event, so it was before the agent connected. Not measured
   * from the start of this object, which each hibernation makes again.
   */
  #withoutLost(count: KeyCount, nowMs: number): KeyCount {
    const sinceMs = this.#calls.agentSinceMs ?? nowMs;
    const lost = Object.entries(count.open).filter(
      ([id, atMs]) => nowMs - Math.max(sinceMs, atMs) > GRACE_MS && !this.#calls.holds(id),
    );
    return lost.reduce((rest, [id]) => released(rest, id), count);
  }
}

const nameOf = (key: string): string => `limits/${key}`;

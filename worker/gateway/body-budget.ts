/**
 * The memory that an isolate gives to request bodies it must hold whole. All calls in it share
 * 128 MB, so several large bodies at once would end them all.
 *
 * A large body waits for its turn before it is read. Small ones are not counted: they are gone
 * within milliseconds, and no large one may hold them up.
 */
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import { GatewayError } from "../errors.ts";

const MIB = 1024 * 1024;

/** Two of the largest bodies. The rest of the isolate is for small bodies, answers and code. */
const BUDGET_BYTES = 2 * BODY_BYTES_MAX;

/** Almost every chat without photos is smaller. */
export const SMALL_BODY_BYTES = 1 * MIB;

/** Longest wait for other bodies. Clients give up on a connection much later. */
const WAIT_MS = 10_000;

/**
 * Small bodies that are kept together until their answers begin, so that their calls can move to
 * another box. A call whose body finds no room stays where it is.
 */
const KEPT_BYTES_MAX = 16 * MIB;

/** A call that was cut off by the runtime gives nothing back. No upload takes this long. */
const HELD_MS_MAX = 15 * 60_000;

/** Gives the bytes of a body back. Further calls do nothing. */
export type Release = () => void;

export const NOTHING_HELD: Release = () => {};

type Waiting = { bytes: number; begin: () => void };

export class BodyBudget {
  readonly #bytesMax: number;
  readonly #waitMs: number;
  readonly #held = new Set<{ bytes: number; sinceMs: number }>();
  /** In order of arrival. */
  readonly #waiting: Waiting[] = [];
  readonly #kept = new Set<{ bytes: number; sinceMs: number }>();
  #keptBytes = 0;

  constructor(bytesMax = BUDGET_BYTES, waitMs = WAIT_MS) {
    this.#bytesMax = bytesMax;
    this.#waitMs = waitMs;
  }

  /** Bytes that no body holds. */
  get freeBytes(): number {
    let free = this.#bytesMax;
    for (const { bytes } of this.#held) free -= bytes;
    return free;
  }

  /** True while a body waits for others. */
  get isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * @param signal  aborted when the caller leaves
   * @throws {GatewayError} `edge_busy` after a while; `caller_left`
   */
  async take(bytes: number, signal: AbortSignal): Promise<Release> {
    if (bytes <= SMALL_BODY_BYTES) return NOTHING_HELD;
    this.#forget(Date.now() - HELD_MS_MAX);
    const isFree = this.#waiting.length === 0 && bytes <= this.freeBytes;
    return isFree ? this.#hold(bytes) : this.#turn(bytes, signal);
  }

  /** Keeps a small body for as long as its call may move. Never waits; null without room. */
  keep(bytes: number): Release | null {
    const nowMs = Date.now();
    if (this.#keptBytes + bytes > KEPT_BYTES_MAX)
      for (const kept of this.#kept) if (kept.sinceMs < nowMs - HELD_MS_MAX) this.#unkeep(kept);
    if (bytes > SMALL_BODY_BYTES || this.#keptBytes + bytes > KEPT_BYTES_MAX) return null;
    const kept = { bytes, sinceMs: nowMs };
    this.#kept.add(kept);
    this.#keptBytes += bytes;
    return () => this.#unkeep(kept);
  }

  #unkeep(kept: { bytes: number; sinceMs: number }): void {
    if (this.#kept.delete(kept)) this.#keptBytes -= kept.bytes;
  }

  #hold(bytes: number): Release {
    const held = { bytes, sinceMs: Date.now() };
    this.#held.add(held);
    return () => {
      if (this.#held.delete(held)) this.#admit();
    };
  }

  /** Timers and listeners belong to the waiting call, so only that call removes them. */
  async #turn(bytes: number, signal: AbortSignal): Promise<Release> {
    const turn = Promise.withResolvers<Release>();
    const waiting: Waiting = { bytes, begin: () => turn.resolve(this.#hold(bytes)) };
    const drop = (reason: "edge_busy" | "caller_left") => {
      const index = this.#waiting.indexOf(waiting);
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      turn.reject(new GatewayError({ reason }));
      this.#admit(); // One behind it may fit.
    };
    const leave = () => drop("caller_left");
    const timer = setTimeout(() => drop("edge_busy"), this.#waitMs);
    signal.addEventListener("abort", leave);
    this.#waiting.push(waiting);
    try {
      return await turn.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }

  #admit(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || next.bytes > this.freeBytes) return;
      this.#waiting.shift();
      next.begin();
    }
  }

  #forget(beforeMs: number): void {
    for (const held of this.#held) if (held.sinceMs < beforeMs) this.#held.delete(held);
  }
}

/** The budget of this isolate. */
export const BODIES = new BodyBudget();

/**
 * Reads request bodies that must be held whole, each into one piece of memory.
 *
 * A large body counts against the budget of the isolate from its first bytes until it is released, so
 * its caller must keep sending while others wait for that memory.
 */
import { freeMemory } from "../../protocol/memory.ts";
import { sizeFailure } from "../../protocol/request-checks.ts";
import { BROKEN_BODY, GatewayError } from "../errors.ts";
import {
  BODIES,
  type BodyBudget,
  NOTHING_HELD,
  type Release,
  SMALL_BODY_BYTES,
} from "./body-budget.ts";
import { uploadFailure } from "./broken-upload.ts";

const KIB = 1024;

/** First memory for a body of unknown length. Almost all are shorter. */
const FIRST_BYTES = 64 * KIB;

/** A large body that others wait for must make this much progress in this time: 100 KiB/s. */
const PROGRESS_BYTES = 512 * KIB;
const PROGRESS_MS = 5_000;

/** The bytes of a body, which count until they are released. */
export type HeldBytes = { bytes: Uint8Array; release: Release };

type Memory = Uint8Array<ArrayBuffer>;

/**
 * Reads the body, once there is memory for it. Never holds more of it than the limit.
 * @throws {GatewayError} `body_too_large`; `edge_busy`; `upload_too_slow`; `bad_request` if a chunk is
 *   malformed; `caller_left`
 */
export async function bytesOf(request: Request, bytesMax: number): Promise<HeldBytes> {
  const length = request.headers.get("content-length");
  const tooLarge = sizeFailure(length, bytesMax);
  if (tooLarge !== null) throw new GatewayError(tooLarge);
  const announced = length === null ? null : Number(length);
  try {
    // The runtime holds a body to its announced length, so this read is bounded. The length comes first,
    // since a look at `body` makes a stream.
    if ((announced !== null && announced <= SMALL_BODY_BYTES) || request.body === null)
      return { bytes: new Uint8Array(await request.arrayBuffer()), release: NOTHING_HELD };
    const reading = new Reading(request.body, BODIES);
    return await (announced === null
      ? reading.toEnd(bytesMax, request.signal)
      : reading.whole(announced, request.signal));
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError(uploadFailure(error), { cause: error });
  }
}

class Reading {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #budget: BodyBudget;
  #release = NOTHING_HELD;
  #isOver = false;

  constructor(body: ReadableStream<Uint8Array>, budget: BodyBudget) {
    this.#reader = body.getReader({ mode: "byob" });
    this.#budget = budget;
  }

  /** Reads a large body of this length. */
  async whole(length: number, signal: AbortSignal): Promise<HeldBytes> {
    this.#release = await this.#budget.take(length, signal);
    return this.#holding(async () => {
      const [memory, bytes] = await this.#fill(new Uint8Array(length), 0);
      if (bytes < length) throw new GatewayError(BROKEN_BODY);
      return memory;
    });
  }

  /**
   * Reads a body without an announced length. Memory that is not written takes no room, so the last
   * of it may be as large as the limit.
   */
  toEnd(bytesMax: number, signal: AbortSignal): Promise<HeldBytes> {
    return this.#holding(async () => {
      let memory: Memory = new Uint8Array(0);
      let bytes = 0;
      for (const room of [FIRST_BYTES, SMALL_BODY_BYTES, bytesMax + 1]) {
        if (room > SMALL_BODY_BYTES) this.#release = await this.#budget.take(bytesMax, signal);
        const larger = new Uint8Array(room);
        larger.set(memory);
        freeMemory(memory.buffer);
        [memory, bytes] = await this.#fill(larger, bytes);
        if (this.#isOver) break;
      }
      const tooLarge = sizeFailure(bytes, bytesMax);
      if (tooLarge !== null) throw new GatewayError(tooLarge);
      return memory.subarray(0, bytes);
    });
  }

  /** Gives everything back if the read fails. */
  async #holding(read: () => Promise<Memory>): Promise<HeldBytes> {
    const release = () => this.#release();
    try {
      const bytes = await read();
      const free = () => {
        freeMemory(bytes.buffer);
        release();
      };
      return { bytes, release: this.#release === NOTHING_HELD ? NOTHING_HELD : free };
    } catch (error) {
      release();
      this.#reader.cancel().catch(() => {});
      throw error;
    }
  }

  /**
   * Reads into the memory from that byte on, until it is full or the body is over.
   * @returns the same memory, which each read moves, and the bytes in it
   */
  async #fill(memory: Memory, from: number): Promise<[Memory, number]> {
    let filled = from;
    while (filled < memory.length && !this.#isOver) {
      const wanted = Math.min(PROGRESS_BYTES, memory.length - filled);
      const { done, value } = await this.#inTime(
        this.#reader.readAtLeast(wanted, memory.subarray(filled)),
      );
      if (value === undefined) throw new GatewayError(BROKEN_BODY);
      memory = new Uint8Array(value.buffer);
      filled += value.length;
      this.#isOver = done || value.length < wanted;
    }
    return [memory, filled];
  }

  /** @throws {GatewayError} `upload_too_slow` */
  async #inTime<Read>(read: Promise<Read>): Promise<Read> {
    if (this.#release === NOTHING_HELD) return read;
    const late = Promise.withResolvers<never>();
    const timer = setInterval(() => {
      if (this.#budget.isWaitedFor) late.reject(new GatewayError({ reason: "upload_too_slow" }));
    }, PROGRESS_MS);
    try {
      return await Promise.race([read, late.promise]);
    } finally {
      clearInterval(timer);
      read.catch(() => {}); // the body was given up
    }
  }
}

/**
 * The registry of boxes: who they are, whether they are connected, what they said last.
 *
 * Kept in memory and in storage. Readings come every two seconds while somebody looks, so they are
 * written less often than they come; what a restart loses is at most {@link STORE_MS} old, and the
 * next readings say it better.
 */
import { z } from "zod";
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import { GpuSample, SystemSample } from "../../protocol/records.ts";
import type { Outbox } from "../export/outbox.ts";
import { newestPerGpu, RegisteredBox } from "../registered-box.ts";
import { jsonText } from "../storage/json-text.ts";
import { type GpuSlots, onEdgeClock, type Samples, thinned } from "./arriving-samples.ts";
import type { BoxSamples, SampleStore } from "./samples.ts";

/** Readings that change nothing of the inventory are stored this often. An idle box's come less often than that. */
const STORE_MS = 30_000;
/**
 * Samples wait in the row of their box until they are this old, or this many: one batch then, in place of many.
 * Each wakes the stores, and Neon bills five minutes for that.
 */
const BATCH_MS = 30 * 60_000;
const BATCH_SAMPLES = 300;

const Row = RegisteredBox.extend({
  hello: jsonText(RegisteredBox.shape.hello),
  readings: jsonText(RegisteredBox.shape.readings.unwrap()).nullable(),
  pending_gpu: jsonText(z.array(GpuSample)),
  pending_system: jsonText(z.array(SystemSample)),
  pending_since_ms: z.number().nullable(),
});

/** `storedAtMs`: when the row was written; 0 when that is not known. */
type Entry = {
  box: RegisteredBox;
  pending: Samples;
  pendingSinceMs: number | null;
  gpuSlots: GpuSlots;
  storedAtMs: number;
};

const NO_SAMPLES: Samples = { gpu: [], system: [] };
const countOf = ({ gpu, system }: Samples): number => gpu.length + system.length;

export class Registry {
  readonly #storage: DurableObjectStorage;
  readonly #samples: SampleStore;
  readonly #outbox: Outbox;
  readonly #entries = new Map<string, Entry>();
  /** Readings that overtook their box's first hello. */
  readonly #early = new Map<string, Readings>();

  constructor(storage: DurableObjectStorage, samples: SampleStore, outbox: Outbox) {
    this.#storage = storage;
    this.#samples = samples;
    this.#outbox = outbox;
    for (const row of storage.sql.exec("SELECT * FROM boxes ORDER BY name")) {
      const {
        pending_gpu: gpu,
        pending_system: system,
        pending_since_ms: pendingSinceMs,
        ...box
      } = Row.parse(row);
      const gpuSlots: GpuSlots = new Map();
      thinned(gpu, gpuSlots);
      this.#entries.set(box.name, {
        box,
        pending: { gpu, system },
        pendingSinceMs,
        gpuSlots,
        storedAtMs: 0,
      });
    }
  }

  /** In order of name. */
  boxes(): RegisteredBox[] {
    return [...this.#entries.values()]
      .map(({ box }) => box)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Samples that are in no batch yet, by box.
   * @param box  only of this one; of all when left out
   */
  *pending(box?: string): Generator<BoxSamples> {
    for (const [name, { pending }] of this.#entries)
      if (box === undefined || name === box) yield { box: name, ...pending };
  }

  connected(hello: Hello, nowMs: number): void {
    const entry = this.#entries.get(hello.box);
    const box: RegisteredBox = {
      ...(entry?.box ?? {
        name: hello.box,
        readings: null,
        readings_at_ms: null,
        gpus_at_ms: null,
      }),
      hello,
      state: "up",
      connected_at_ms: nowMs,
      last_seen_ms: nowMs,
    };
    this.#store(
      {
        pending: NO_SAMPLES,
        pendingSinceMs: null,
        gpuSlots: new Map(),
        ...entry,
        box,
        storedAtMs: nowMs,
      },
      nowMs,
    );
    const early = this.#early.get(hello.box);
    this.#early.delete(hello.box);
    if (early !== undefined) this.read(hello.box, early, nowMs);
  }

  draining(name: string, nowMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.box.state !== "up") return;
    this.#store({ ...entry, box: { ...entry.box, state: "draining", last_seen_ms: nowMs } }, nowMs);
  }

  /** The tunnel of a box is down. Said late, after the box has connected again, it changes nothing. */
  gone(name: string, atMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.box.state === "down" || atMs < entry.box.connected_at_ms)
      return;
    this.#store({ ...entry, box: { ...entry.box, state: "down", last_seen_ms: atMs } }, atMs);
  }

  /** Forgets a box until it connects again. */
  forget(name: string): void {
    this.#storage.sql.exec("DELETE FROM boxes WHERE name = ?", name);
    this.#entries.delete(name);
  }

  read(name: string, readings: Readings, nowMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#early.set(name, readings);
      return;
    }
    const { box, gpuSlots } = entry;
    const { gpu, system, ...rest } = onEdgeClock(readings, nowMs);
    const hasNewGpus = gpu.samples.length > 0;
    const shownGpus = hasNewGpus
      ? newestPerGpu(gpu.samples)
      : gpu.available
        ? (box.readings?.gpu.samples ?? [])
        : [];
    const pending = {
      gpu: [...entry.pending.gpu, ...thinned(gpu.samples, gpuSlots)],
      system: [...entry.pending.system, ...system],
    };
    const isFull = countOf(pending) >= BATCH_SAMPLES;
    const next: Entry = {
      box: {
        ...box,
        last_seen_ms: nowMs,
        readings: {
          ...rest,
          gpu: { ...gpu, samples: shownGpus },
          system: system.length > 0 ? system.slice(-1) : (box.readings?.system ?? []),
        },
        readings_at_ms: nowMs,
        gpus_at_ms: hasNewGpus ? nowMs : gpu.available ? box.gpus_at_ms : null,
      },
      pending,
      pendingSinceMs: countOf(pending) === 0 ? null : (entry.pendingSinceMs ?? nowMs),
      gpuSlots,
      storedAtMs: entry.storedAtMs,
    };
    const isDue = nowMs - entry.storedAtMs >= STORE_MS || !isSameInventory(box.readings, readings);
    if (isDue || isFull) this.#store({ ...next, storedAtMs: nowMs }, nowMs);
    else this.#entries.set(name, next);
  }

  /** Deletes the samples that wait for their batch. What is shown as current stays: it is now, not history. */
  forgetPending(): void {
    this.#storage.sql.exec(
      "UPDATE boxes SET pending_gpu = '[]', pending_system = '[]', pending_since_ms = NULL",
    );
    for (const [name, entry] of this.#entries)
      this.#entries.set(name, { ...entry, pending: NO_SAMPLES, pendingSinceMs: null });
  }

  /** Writes the row, and with it the batch of samples when that is due. */
  #store(entry: Entry, nowMs: number): void {
    const isBatch =
      entry.pendingSinceMs !== null &&
      (countOf(entry.pending) >= BATCH_SAMPLES || nowMs - entry.pendingSinceMs >= BATCH_MS);
    const stored: Entry = isBatch ? { ...entry, pending: NO_SAMPLES, pendingSinceMs: null } : entry;
    this.#storage.transactionSync(() => {
      if (isBatch) {
        const batch = { box: entry.box.name, ...entry.pending };
        this.#samples.put(nowMs, batch);
        this.#outbox.addSamples(nowMs, batch);
      }
      this.#write(stored);
    });
    this.#entries.set(entry.box.name, stored);
  }

  #write({ box, pending, pendingSinceMs }: Entry): void {
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO boxes (name, state, hello, connected_at_ms, last_seen_ms, readings, readings_at_ms, gpus_at_ms, pending_gpu, pending_system,
         pending_since_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      box.name,
      box.state,
      JSON.stringify(box.hello),
      box.connected_at_ms,
      box.last_seen_ms,
      box.readings && JSON.stringify(box.readings),
      box.readings_at_ms,
      box.gpus_at_ms,
      JSON.stringify(pending.gpu),
      JSON.stringify(pending.system),
      pendingSinceMs,
    );
  }
}

/** Whether two readings say the same of what the box can serve. Sizes and times of expiry change all the time, and may wait. */
function isSameInventory(previous: Readings | null, next: Readings): boolean {
  if (previous === null) return false;
  const { inventory: a, gpu: gpuA } = previous;
  const { inventory: b, gpu: gpuB } = next;
  return (
    a.reachable === b.reachable &&
    a.ollama_version === b.ollama_version &&
    gpuA.available === gpuB.available &&
    isSameList(a.models, b.models, ({ name, digest }) => `${name} ${digest}`) &&
    isSameList(a.loaded, b.loaded, ({ name }) => name)
  );
}

const isSameList = <Item>(
  a: readonly Item[],
  b: readonly Item[],
  say: (item: Item) => string,
): boolean =>
  a.length === b.length &&
  a.every((item, index) => b[index] !== undefined && say(item) === say(b[index]));

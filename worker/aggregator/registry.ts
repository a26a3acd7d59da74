/**
 * The registry of boxes: their identity, their connection and their latest readings.
 *
 * Kept in memory and in storage. Readings arrive every two seconds while the page is watched, so not
 * all of them are written. A restart loses at most the last {@link STORE_MS}, and the next readings
 * replace them.
 */
import { z } from "zod";
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import { GpuSample, type RequestRecord, SystemSample } from "../../protocol/records.ts";
import type { Outbox } from "../export/outbox.ts";
import { CountedGpu, newestPerGpu, RegisteredBox } from "../registered-box.ts";
import { jsonText } from "../storage/json-text.ts";
import { type GpuSlots, onEdgeClock, type Samples, thinned } from "./arriving-samples.ts";
import { countedWith } from "./gpu-totals.ts";
import type { BoxSamples, SampleStore } from "./samples.ts";

/** Interval of storing readings that do not change the inventory. An idle box's readings arrive less often. */
const STORE_MS = 30_000;
/**
 * Samples wait in the row of their box until they are this old or this many, and then form one batch.
 * Each batch wakes the external stores, and Neon bills five minutes for each wake.
 */
const BATCH_MS = 30 * 60_000;
const BATCH_SAMPLES = 300;

const Row = RegisteredBox.extend({
  hello: jsonText(RegisteredBox.shape.hello),
  readings: jsonText(RegisteredBox.shape.readings.unwrap()).nullable(),
  gpu_energy: jsonText(z.array(CountedGpu)),
  pending_gpu: jsonText(z.array(GpuSample)),
  pending_system: jsonText(z.array(SystemSample)),
  pending_since_ms: z.number().nullable(),
  sealed_since_ms: z.number().nullable(),
});

/** `storedAtMs` is when the row was written; 0 if unknown. */
type Entry = {
  box: RegisteredBox;
  pending: Samples;
  pendingSinceMs: number | null;
  /** When an agent of the box first returned seals; null if none has. */
  sealedSinceMs: number | null;
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
  /** Readings that arrived before their box's first hello. */
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
        sealed_since_ms: sealedSinceMs,
        ...box
      } = Row.parse(row);
      const gpuSlots: GpuSlots = new Map();
      thinned(gpu, gpuSlots);
      this.#entries.set(box.name, {
        box,
        pending: { gpu, system },
        pendingSinceMs,
        sealedSinceMs,
        gpuSlots,
        storedAtMs: 0,
      });
    }
  }

  /** Returns whether the box of a record is simulated; null without a box, or for an unknown one. */
  simulates({ box }: Pick<RequestRecord, "box">): boolean | null {
    return box === null ? null : (this.#entries.get(box)?.box.hello.simulated ?? null);
  }

  /** Returns the boxes in order of name. */
  boxes(): RegisteredBox[] {
    return [...this.#entries.values()]
      .map(({ box }) => box)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Yields the samples that wait for their batch, by box.
   * @param box  limits them to this box
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
        gpu_energy: [],
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
        // Stays after a downgrade: otherwise an agent could leave its seals out.
        sealedSinceMs: entry?.sealedSinceMs ?? (hello.returns_seals === true ? nowMs : null),
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

  /** Marks a box as down. Has no effect if it arrives late, after the box has connected again. */
  gone(name: string, atMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.box.state === "down" || atMs < entry.box.connected_at_ms)
      return;
    this.#store({ ...entry, box: { ...entry.box, state: "down", last_seen_ms: atMs } }, atMs);
  }

  /** Returns when an agent of this box first returned seals, unix ms; null if none has. */
  sealedSinceMs(name: string): number | null {
    return this.#entries.get(name)?.sealedSinceMs ?? null;
  }

  /** Returns the sum of the power limits of a box's GPUs; null if one of them is unknown. */
  powerLimitW(name: string): number | null {
    const limits = this.#entries.get(name)?.box.readings?.gpu.samples ?? [];
    const watts = limits.map(({ power_limit_w }) => power_limit_w);
    return watts.length === 0 || watts.includes(null)
      ? null
      : watts.reduce((sum: number, each) => sum + (each ?? 0), 0);
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
    const { gpu, system, gpu_energy, ...rest } = onEdgeClock(readings, nowMs);
    const hasNewGpus = gpu.samples.length > 0;
    const shownGpus = hasNewGpus
      ? newestPerGpu(gpu.samples)
      : gpu.available
        ? (box.readings?.gpu.samples ?? [])
        : [];
    const pending = {
      gpu: [...entry.pending.gpu, ...(gpu.history ?? thinned(gpu.samples, gpuSlots))],
      system: [...entry.pending.system, ...system],
    };
    const isFull = countOf(pending) >= BATCH_SAMPLES;
    const next: Entry = {
      ...entry,
      box: {
        ...box,
        last_seen_ms: nowMs,
        readings: {
          ...rest,
          gpu_energy: null, // it is counted below
          gpu: { ...gpu, samples: shownGpus, history: null },
          system: system.length > 0 ? system.slice(-1) : (box.readings?.system ?? []),
        },
        readings_at_ms: nowMs,
        gpus_at_ms: hasNewGpus ? nowMs : gpu.available ? box.gpus_at_ms : null,
        gpu_energy: countedWith(box.gpu_energy, gpu_energy),
      },
      pending,
      pendingSinceMs: countOf(pending) === 0 ? null : (entry.pendingSinceMs ?? nowMs),
    };
    const isDue = nowMs - entry.storedAtMs >= STORE_MS || !isSameInventory(box.readings, readings);
    if (isDue || isFull) this.#store({ ...next, storedAtMs: nowMs }, nowMs);
    else this.#entries.set(name, next);
  }

  /** Deletes the samples that wait for their batch. The current readings stay: they are not history. */
  forgetPending(): void {
    this.#storage.sql.exec(
      "UPDATE boxes SET pending_gpu = '[]', pending_system = '[]', pending_since_ms = NULL",
    );
    for (const [name, entry] of this.#entries)
      this.#entries.set(name, { ...entry, pending: NO_SAMPLES, pendingSinceMs: null });
  }

  /** Writes the row, together with the batch of samples if it is due. */
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

  #write({ box, pending, pendingSinceMs, sealedSinceMs }: Entry): void {
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO boxes (name, state, hello, connected_at_ms, last_seen_ms, readings, readings_at_ms,
         gpus_at_ms, gpu_energy, pending_gpu, pending_system, pending_since_ms, sealed_since_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      box.name,
      box.state,
      JSON.stringify(box.hello),
      box.connected_at_ms,
      box.last_seen_ms,
      box.readings && JSON.stringify(box.readings),
      box.readings_at_ms,
      box.gpus_at_ms,
      JSON.stringify(box.gpu_energy),
      JSON.stringify(pending.gpu),
      JSON.stringify(pending.system),
      pendingSinceMs,
      sealedSinceMs,
    );
  }
}

/**
 * Returns whether both readings describe the same service: its models, their digests, its version.
 * Sizes and expiry times change constantly, so they may wait.
 */
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
  keyOf: (item: Item) => string,
): boolean =>
  a.length === b.length &&
  a.every((item, index) => b[index] !== undefined && keyOf(item) === keyOf(b[index]));

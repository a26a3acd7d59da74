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
import { GpuSample } from "../../protocol/records.ts";
import { newestPerGpu, RegisteredBox } from "../registered.ts";
import type { GpuStore } from "./gpu.ts";

/** Readings that change nothing of the inventory are stored this often. An idle box's come less often than that. */
const STORE_MS = 30_000;
/** GPU samples wait in the row of their box until they are this old, or this many: one batch then, in place of many. */
const BATCH_MS = 10 * 60_000;
const BATCH_SAMPLES = 300;

const json = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);

const Row = RegisteredBox.extend({
  hello: json(RegisteredBox.shape.hello),
  readings: json(RegisteredBox.shape.readings.unwrap()).nullable(),
  pending: json(z.array(GpuSample)),
  pending_since_ms: z.number().nullable(),
});

/** `storedAtMs`: when the row was written; 0 when that is not known. */
type Entry = { box: RegisteredBox; pending: GpuSample[]; pendingSinceMs: number | null; storedAtMs: number };

export class Registry {
  readonly #storage: DurableObjectStorage;
  readonly #gpu: GpuStore;
  readonly #entries = new Map<string, Entry>();
  /** Readings that overtook their box's first hello. */
  readonly #early = new Map<string, Readings>();

  constructor(storage: DurableObjectStorage, gpu: GpuStore) {
    this.#storage = storage;
    this.#gpu = gpu;
    for (const row of storage.sql.exec("SELECT * FROM boxes ORDER BY name")) {
      const { pending, pending_since_ms, ...box } = Row.parse(row);
      this.#entries.set(box.name, { box, pending, pendingSinceMs: pending_since_ms, storedAtMs: 0 });
    }
  }

  /** In order of name. */
  boxes(): RegisteredBox[] {
    return [...this.#entries.values()].map(({ box }) => box).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  connected(hello: Hello, nowMs: number): void {
    const entry = this.#entries.get(hello.box);
    const box: RegisteredBox = {
      ...(entry?.box ?? { name: hello.box, readings: null, readings_at_ms: null, gpus_at_ms: null }),
      hello,
      state: "up",
      connected_at_ms: nowMs,
      last_seen_ms: nowMs,
    };
    this.#store({ pending: [], pendingSinceMs: null, ...entry, box, storedAtMs: nowMs }, nowMs);
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
    if (entry === undefined || entry.box.state === "down" || atMs < entry.box.connected_at_ms) return;
    this.#store({ ...entry, box: { ...entry.box, state: "down", last_seen_ms: atMs } }, atMs);
  }

  read(name: string, readings: Readings, nowMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#early.set(name, readings);
      return;
    }
    const { box } = entry;
    const { available, samples } = readings.gpu;
    const hasNew = samples.length > 0;
    const shown = hasNew ? newestPerGpu(samples) : available ? (box.readings?.gpu.samples ?? []) : [];
    const pending = [...entry.pending, ...samples];
    const next: Entry = {
      box: {
        ...box,
        last_seen_ms: nowMs,
        readings: { ...readings, gpu: { ...readings.gpu, samples: shown } },
        readings_at_ms: nowMs,
        gpus_at_ms: hasNew ? nowMs : available ? box.gpus_at_ms : null,
      },
      pending,
      pendingSinceMs: pending.length === 0 ? null : (entry.pendingSinceMs ?? nowMs),
      storedAtMs: entry.storedAtMs,
    };
    const isDue = nowMs - entry.storedAtMs >= STORE_MS || !isSameInventory(box.readings, readings);
    if (isDue || pending.length >= BATCH_SAMPLES) this.#store({ ...next, storedAtMs: nowMs }, nowMs);
    else this.#entries.set(name, next);
  }

  /** Deletes the samples that wait for their batch. What is shown as current stays: it is now, not history. */
  forgetPending(): void {
    this.#storage.sql.exec("UPDATE boxes SET pending = '[]', pending_since_ms = NULL");
    for (const [name, entry] of this.#entries) this.#entries.set(name, { ...entry, pending: [], pendingSinceMs: null });
  }

  /** Writes the row, and with it the batch of GPU samples when that is due. */
  #store(entry: Entry, nowMs: number): void {
    const isBatch = entry.pendingSinceMs !== null && (entry.pending.length >= BATCH_SAMPLES || nowMs - entry.pendingSinceMs >= BATCH_MS);
    const stored: Entry = isBatch ? { ...entry, pending: [], pendingSinceMs: null } : entry;
    this.#storage.transactionSync(() => {
      if (isBatch) this.#gpu.put(entry.box.name, nowMs, entry.pending);
      this.#write(stored);
    });
    this.#entries.set(entry.box.name, stored);
  }

  #write({ box, pending, pendingSinceMs }: Entry): void {
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO boxes (name, state, hello, connected_at_ms, last_seen_ms, readings, readings_at_ms, gpus_at_ms, pending, pending_since_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      box.name,
      box.state,
      JSON.stringify(box.hello),
      box.connected_at_ms,
      box.last_seen_ms,
      box.readings && JSON.stringify(box.readings),
      box.readings_at_ms,
      box.gpus_at_ms,
      JSON.stringify(pending),
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

const isSameList = <Item>(a: readonly Item[], b: readonly Item[], say: (item: Item) => string): boolean =>
  a.length === b.length && a.every((item, index) => b[index] !== undefined && say(item) === say(b[index]));

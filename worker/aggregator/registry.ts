/**
 * The registry of boxes: their identity, their connection and their latest readings.
 *
 * Kept in memory and in storage. Readings arrive every two seconds while the page is watched, so not
 * all of them are written. A restart loses at most the last {@link STORE_MS}, and the next readings
 * replace them.
 */
import type { Inventory, Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { type BoxSpent, type EnergyHour, NO_SUMS } from "../counting/energy-hours.ts";
import type { Outbox } from "../export/outbox.ts";
import { newestPerGpu, type RegisteredBox } from "../registered-box.ts";
import { type GpuSlots, onEdgeClock, type Samples, thinned } from "./arriving-samples.ts";
import { type BoxEntry, readBoxes, writeBox } from "./box-row.ts";
import type { EnergyHours } from "./energy-hours.ts";
import { countedWith, growthOf } from "./gpu-totals.ts";
import { isSameInventory } from "./same-inventory.ts";
import type { BoxSamples, SampleStore } from "./samples.ts";
import { heldModels, spentWith } from "./spent-energy.ts";
import type { Tariffs } from "./tariffs.ts";

/**
 * Interval of storing readings that do not change the inventory. An idle box's readings arrive less
 * often.
 */
const STORE_MS = 30_000;
/**
 * Samples wait in the row of their box until they are this old or this many, and then form one batch.
 * Each batch wakes the external stores, and Neon bills five minutes for each wake.
 */
const BATCH_MS = 30 * 60_000;
const BATCH_SAMPLES = 300;

/** An agent that has not reached its Ollama yet knows no models: those of before are still on the disk. */
const inventoryAfter = (before: Inventory | undefined, now: Inventory): Inventory =>
  !now.reachable && now.models.length === 0 && before !== undefined
    ? { ...now, models: before.models, ollama_version: now.ollama_version ?? before.ollama_version }
    : now;

/** `storedAtMs` is when the row was written; 0 if unknown. */
type Entry = BoxEntry & {
  gpuSlots: GpuSlots;
  /** Hours of energy that are over, and not in storage yet. */
  closedHours: readonly EnergyHour[];
  storedAtMs: number;
};

const NO_SAMPLES: Samples = { gpu: [], system: [] };
const countOf = ({ gpu, system }: Samples): number => gpu.length + system.length;

export type RegistryStores = {
  samples: SampleStore;
  outbox: Outbox;
  energyHours: EnergyHours;
  tariffs: Tariffs;
};

export class Registry {
  readonly #storage: DurableObjectStorage;
  readonly #samples: SampleStore;
  readonly #outbox: Outbox;
  readonly #energyHours: EnergyHours;
  readonly #tariffs: Tariffs;
  readonly #entries = new Map<string, Entry>();
  /** Readings that arrived before their box's first hello. */
  readonly #early = new Map<string, Readings>();

  constructor(
    storage: DurableObjectStorage,
    { samples, outbox, energyHours, tariffs }: RegistryStores,
  ) {
    this.#storage = storage;
    this.#samples = samples;
    this.#outbox = outbox;
    this.#energyHours = energyHours;
    this.#tariffs = tariffs;
    for (const entry of readBoxes(storage.sql)) {
      const gpuSlots: GpuSlots = new Map();
      thinned(entry.pending.gpu, gpuSlots);
      this.#entries.set(entry.box.name, { ...entry, gpuSlots, closedHours: [], storedAtMs: 0 });
    }
  }

  /** Returns null without a box, or for an unknown one. */
  simulates({ box }: Pick<RequestRecord, "box">): boolean | null {
    return box === null ? null : (this.#entries.get(box)?.box.hello.simulated ?? null);
  }

  find = (name: string): RegisteredBox | null => this.#entries.get(name)?.box ?? null;

  /** In order of name. */
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

  /** Returns the energy and the cost of each box since the metrics were last cleared. */
  spent(): BoxSpent[] {
    return [...this.#entries].map(([box, { energySpent }]) => ({ box, sums: energySpent }));
  }

  /** Yields the hours of energy that are not in the storage of hours yet, by box. */
  *openHours(): Generator<{ box: string; hour: EnergyHour }> {
    for (const [box, entry] of this.#entries) {
      for (const hour of entry.closedHours) yield { box, hour };
      if (entry.energyHour !== null) yield { box, hour: entry.energyHour };
    }
  }

  connected(hello: Hello, nowMs: number, connectedAtMs: number): void {
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
      connected_at_ms: connectedAtMs,
      last_seen_ms: nowMs,
    };
    this.#store(
      {
        pending: NO_SAMPLES,
        pendingSinceMs: null,
        gpuSlots: new Map(),
        energySpent: NO_SUMS,
        energyHour: null,
        closedHours: [],
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

  /** Notes a sign of life other than readings, in memory only. */
  seen(name: string, nowMs: number): void {
    const box = this.find(name);
    if (box?.state !== "down" && box !== null) box.last_seen_ms = nowMs;
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

  /** When an agent of this box first returned seals, unix ms; null if none has. */
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

  /** Until it connects again. The energy that it has drawn stays. */
  forget(name: string, nowMs: number): void {
    const hours = [...this.openHours()].flatMap(({ box, hour }) => (box === name ? [hour] : []));
    this.#storage.transactionSync(() => {
      if (hours.length > 0) this.#outbox.addEnergy(this.#energyHours.close(nowMs, name, hours));
      this.#storage.sql.exec("DELETE FROM boxes WHERE name = ?", name);
    });
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
    const counted = countedWith(box.gpu_energy, gpu_energy);
    const { closed, ...energy } = spentWith(name, entry, growthOf(box.gpu_energy, counted, nowMs), {
      loaded: heldModels(box.readings, rest),
      versions: this.#tariffs.all(),
    });
    const next: Entry = {
      ...entry,
      box: {
        ...box,
        last_seen_ms: nowMs,
        readings: {
          ...rest,
          inventory: inventoryAfter(box.readings?.inventory, rest.inventory),
          gpu_energy: null, // it is counted below
          gpu: { ...gpu, samples: shownGpus, history: null },
          system: system.length > 0 ? system.slice(-1) : (box.readings?.system ?? []),
        },
        readings_at_ms: nowMs,
        gpus_at_ms: hasNewGpus ? nowMs : gpu.available ? box.gpus_at_ms : null,
        gpu_energy: counted,
      },
      ...energy,
      closedHours: [...entry.closedHours, ...closed],
      pending,
      pendingSinceMs: countOf(pending) === 0 ? null : (entry.pendingSinceMs ?? nowMs),
    };
    const isDue =
      closed.length > 0 ||
      nowMs - entry.storedAtMs >= STORE_MS ||
      !isSameInventory(box.readings, next.box.readings);
    if (isDue || isFull) this.#store({ ...next, storedAtMs: nowMs }, nowMs);
    else this.#entries.set(name, next);
  }

  /**
   * Deletes the samples that wait for their batch, and the sums of energy and cost. The current readings
   * stay, and so do the totals of the meters: they are not history.
   */
  forgetSums(): void {
    this.#storage.sql.exec(
      `UPDATE boxes SET pending_gpu = '[]', pending_system = '[]', pending_since_ms = NULL,
        energy_spent = ?, energy_hour = 'null'`,
      JSON.stringify(NO_SUMS),
    );
    for (const [name, entry] of this.#entries)
      this.#entries.set(name, {
        ...entry,
        energySpent: NO_SUMS,
        energyHour: null,
        closedHours: [],
        pending: NO_SAMPLES,
        pendingSinceMs: null,
      });
  }

  /** Writes the row, together with the batch of samples if it is due. */
  #store(entry: Entry, nowMs: number): void {
    const isBatch =
      entry.pendingSinceMs !== null &&
      (countOf(entry.pending) >= BATCH_SAMPLES ||
        nowMs - entry.pendingSinceMs >= BATCH_MS ||
        // The stores are woken anyway.
        (entry.closedHours.length > 0 && this.#outbox.isOpen));
    const stored: Entry = {
      ...entry,
      ...(isBatch && { pending: NO_SAMPLES, pendingSinceMs: null }),
      closedHours: [],
    };
    this.#storage.transactionSync(() => {
      if (isBatch) {
        const batch = { box: entry.box.name, ...entry.pending };
        this.#samples.put(nowMs, batch);
        this.#outbox.addSamples(nowMs, batch);
      }
      if (entry.closedHours.length > 0)
        this.#outbox.addEnergy(this.#energyHours.close(nowMs, entry.box.name, entry.closedHours));
      writeBox(this.#storage.sql, stored);
    });
    this.#entries.set(entry.box.name, stored);
  }
}

/**
 * Sends readings to the edge: rarely while nobody is watching this box, more often while requests wait,
 * every few seconds while somebody watches, and at once when the inventory changes.
 */
import { type Frame, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { OpenRequest, Readings } from "../../protocol/inventory.ts";
import {
  OPEN_REQUESTS_MAX,
  READINGS_IDLE_MS,
  READINGS_QUEUED_MS,
  READINGS_WATCHED_MS,
  WATCHED_FOR_MS,
} from "../../protocol/limits.ts";
import type { GpuSample } from "../../protocol/records.ts";
import { Repeater } from "../clock/repeater.ts";
import { after } from "../clock/timers.ts";
import type { GpuSource } from "./gpu-source.ts";
import type { InventoryPoller } from "./inventory.ts";
import type { SystemSampler } from "./system-sampler.ts";

/** Models take more of the memory of a box's GPUs than this. */
export const MEMORY_NEWS_MB = 256;

/** The memory of a GPU that shows a desktop changes all the time. */
export const MEMORY_EVERY_MS = 30_000;

export type ReadingsSenderShell = {
  gpu: Pick<GpuSource, "take" | "latest">;
  inventory: Pick<InventoryPoller, "latest" | "hasPolled">;
  system: Pick<SystemSampler, "take">;
  counts(): Pick<
    Readings,
    | "in_flight"
    | "queued"
    | "serving"
    | "gpu_energy"
    | "local_in_flight"
    | "tunnel_ms"
    | "spooled"
    | "lost"
    | "pins"
    | "update"
  >;
  /** Returns the open requests in any order. */
  requests(): OpenRequest[];
  send(frame: Frame): void;
};

export class ReadingsSender {
  readonly #shell: ReadingsSenderShell;
  readonly #repeater = new Repeater(() => this.#sendReadings(), after);
  #watchedUntilMs = 0;
  #sentLoad = "";
  #sentMs = Number.NEGATIVE_INFINITY;
  /** MiB that the GPUs used in the readings sent last, and a second ago; null if unknown. */
  #sentMb: number | null = null;
  #seenMb: number | null = null;
  #memorySentMs = Number.NEGATIVE_INFINITY;

  constructor(shell: ReadingsSenderShell) {
    this.#shell = shell;
  }

  /** The tunnel is up. */
  up(): void {
    this.#repeater.up();
  }

  down(): void {
    this.#repeater.down();
  }

  /** Somebody is watching this box: sends at the quick pace for a while. */
  watch(): void {
    const isNews = !this.#isWatched;
    this.#watchedUntilMs = performance.now() + WATCHED_FOR_MS;
    if (isNews) this.send();
  }

  /**
   * Sends readings now if requests came, began or went and somebody is watching, or if they begin to
   * wait: that is rare, and a scrape should show it.
   */
  sendChangedLoad(): void {
    const counts = this.#shell.counts();
    if (this.#isWatched ? loadOf(counts) !== this.#sentLoad : this.#isNewQueue(counts)) this.send();
  }

  /**
   * Called every second: sends readings once the memory of the GPUs has changed and settled. Ollama lists
   * a model while it loads, so the readings sent for it show the memory of another moment, and the box
   * would seem to have room for minutes.
   */
  sendChangedMemory(): void {
    const usedMb = usedMbOf(this.#shell.gpu.latest());
    const isSettled = differenceOf(usedMb, this.#seenMb) < MEMORY_NEWS_MB;
    this.#seenMb = usedMb;
    if (!isSettled || differenceOf(usedMb, this.#sentMb) < MEMORY_NEWS_MB) return;
    if (performance.now() - this.#memorySentMs < MEMORY_EVERY_MS) return;
    this.#memorySentMs = performance.now();
    this.send();
  }

  /** Sends readings now if the tunnel is up, and schedules the next ones. */
  send(): void {
    this.#repeater.now();
  }

  #sendReadings(): number {
    const { gpu, inventory, system } = this.#shell;
    // They would show Ollama as away and without models. The first poll sends them.
    if (!inventory.hasPolled) return READINGS_IDLE_MS;
    const readings: Readings = {
      now_ms: Date.now(),
      inventory: inventory.latest(),
      gpu: gpu.take(),
      system: system.take(),
      requests: this.#isWatched ? this.#oldestRequests() : [],
      ...this.#shell.counts(),
    };
    this.#shell.send(tunnelFrame(FrameType.readings, readings));
    // Not every reading is sent: the newest of these may be older than the newest of all.
    this.#sentMb = usedMbOf(readings.gpu.samples) ?? this.#sentMb;
    this.#sentLoad = loadOf(readings);
    this.#sentMs = performance.now();
    if (this.#isWatched) return READINGS_WATCHED_MS;
    return readings.queued > 0 ? READINGS_QUEUED_MS : READINGS_IDLE_MS;
  }

  #isNewQueue({ queued }: Pick<Readings, "queued">): boolean {
    return queued > 0 && performance.now() - this.#sentMs >= READINGS_QUEUED_MS;
  }

  get #isWatched(): boolean {
    return performance.now() < this.#watchedUntilMs;
  }

  #oldestRequests(): OpenRequest[] {
    return this.#shell
      .requests()
      .sort((a, b) => (a.started_at < b.started_at ? -1 : 1))
      .slice(0, OPEN_REQUESTS_MAX);
  }
}

const loadOf = ({ in_flight, queued }: Pick<Readings, "in_flight" | "queued">): string =>
  `${in_flight} ${queued}`;

/** Returns the memory in use on all GPUs by the newest sample of each, MiB; null if a part is unknown. */
function usedMbOf(samples: readonly GpuSample[]): number | null {
  const parts = [
    ...new Map(samples.map((sample) => [sample.index, sample.memory_used_mb])).values(),
  ];
  const known = parts.filter((part) => part !== null);
  return known.length === 0 || known.length < parts.length
    ? null
    : known.reduce((sum, part) => sum + part, 0);
}

/** Returns 0 if one of them is unknown: then there is nothing to compare. */
const differenceOf = (a: number | null, b: number | null): number =>
  a === null || b === null ? 0 : Math.abs(a - b);

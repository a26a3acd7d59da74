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
import { Repeater } from "../clock/repeater.ts";
import { after } from "../clock/timers.ts";
import type { GpuSource } from "./gpu-source.ts";
import type { InventoryPoller } from "./inventory.ts";
import type { SystemSampler } from "./system-sampler.ts";

export type ReadingsSenderShell = {
  gpu: Pick<GpuSource, "take">;
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

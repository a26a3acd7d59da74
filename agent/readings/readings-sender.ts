/**
 * Sends readings to the edge: rarely while nobody is watching this box, every few seconds while
 * somebody is, and at once when the inventory changes.
 */
import { type Frame, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { OpenRequest, Readings } from "../../protocol/inventory.ts";
import {
  OPEN_REQUESTS_MAX,
  READINGS_IDLE_MS,
  READINGS_WATCHED_MS,
  WATCHED_FOR_MS,
} from "../../protocol/limits.ts";
import type { GpuSource } from "./gpu-source.ts";
import type { InventoryPoller } from "./inventory.ts";
import type { SystemSampler } from "./system-sampler.ts";

export type ReadingsSenderShell = {
  gpu: Pick<GpuSource, "take">;
  inventory: Pick<InventoryPoller, "latest">;
  system: Pick<SystemSampler, "take">;
  counts(): Pick<
    Readings,
    "in_flight" | "queued" | "local_in_flight" | "tunnel_ms" | "spooled" | "lost"
  >;
  /** Returns the open requests in any order. */
  requests(): OpenRequest[];
  send(frame: Frame): void;
};

export class ReadingsSender {
  readonly #shell: ReadingsSenderShell;
  #isUp = false;
  #watchedUntilMs = 0;
  #sentLoad = "";
  #timer: NodeJS.Timeout | null = null;

  constructor(shell: ReadingsSenderShell) {
    this.#shell = shell;
  }

  /** The tunnel is up. */
  up(): void {
    this.#isUp = true;
    this.send();
  }

  down(): void {
    this.#isUp = false;
    this.#stopTimer();
  }

  /** Somebody is watching this box: sends at the quick pace for a while. */
  watch(): void {
    const isNews = !this.#isWatched;
    this.#watchedUntilMs = performance.now() + WATCHED_FOR_MS;
    if (isNews) this.send();
  }

  /** Sends readings now if somebody is watching and requests came, began or went. */
  sendChangedLoad(): void {
    if (this.#isWatched && loadOf(this.#shell.counts()) !== this.#sentLoad) this.send();
  }

  /** Sends readings now if the tunnel is up, and schedules the next ones. */
  send(): void {
    this.#stopTimer();
    if (!this.#isUp) return;
    const { gpu, inventory, system } = this.#shell;
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
    const paceMs = this.#isWatched ? READINGS_WATCHED_MS : READINGS_IDLE_MS;
    this.#timer = setTimeout(() => this.send(), paceMs);
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

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

const loadOf = ({ in_flight, queued }: Pick<Readings, "in_flight" | "queued">): string =>
  `${in_flight} ${queued}`;

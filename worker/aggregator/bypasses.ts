/** The GPUs that are busy for nobody now, in memory: after a start, the next readings show them again. */
import type { Readings } from "../../protocol/inventory.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { type Bypassed, bypassedNext, withoutRequest } from "../answers/damage/bypass.ts";

export class Bypasses {
  readonly #boxes = new Map<string, { before: Readings; bypassed: Bypassed[] }>();
  /** When a request of a box last ended, unix ms. */
  readonly #ended = new Map<string, number>();

  add({ box, started_at, latency_ms }: RequestRecord): void {
    if (box === null) return;
    const startMs = Date.parse(started_at);
    const endMs = startMs + latency_ms;
    this.#ended.set(box, Math.max(endMs, this.#ended.get(box) ?? 0));
    const known = this.#boxes.get(box);
    if (known !== undefined) known.bypassed = withoutRequest(known.bypassed, startMs, endMs);
  }

  read(box: string, readings: Readings): void {
    const { before = null, bypassed = [] } = this.#boxes.get(box) ?? {};
    const endedMs = this.#ended.get(box) ?? 0;
    this.#boxes.set(box, {
      before: readings,
      bypassed: bypassedNext(bypassed, box, before, readings, endedMs),
    });
  }

  all(): Bypassed[] {
    return [...this.#boxes.values()].flatMap(({ bypassed }) => bypassed);
  }

  /** The box is away: what it does is not known. */
  forgetBox(box: string): void {
    this.#boxes.delete(box);
  }
}

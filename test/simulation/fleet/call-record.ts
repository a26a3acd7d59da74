/** The edge's part of the record of a call: the moves that it notes, and the record that it writes itself. */
import { ATTEMPTS_MAX } from "../../../protocol/limits.ts";
import { type Move, movedFromOf } from "../../../protocol/moves.ts";
import type { Status } from "../../../protocol/records.ts";
import type { RouteReason } from "../../../protocol/route.ts";
import { recordOf } from "../../support/records.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { SimulatedLedger } from "../ledger.ts";
import type { Schedule } from "../schedule.ts";
import type { FleetAggregator } from "./aggregator.ts";
import type { Fallback } from "./attempt.ts";
import type { Isolate } from "./isolate.ts";
import type { FleetCallPlan } from "./plan.ts";

/** Longest wait of an answer for the note of its moves. */
const NOTED_MS = 1_000;
/** A note that takes longer was sent again. */
const NOTE_MS = 50;

export type CallRecordWorld = {
  schedule: Schedule;
  isolate: Isolate;
  aggregator: FleetAggregator;
  trace(line: string): void;
  broken(what: string): never;
};

export class CallRecord {
  readonly moves: Move[] = [];
  readonly #plan: FleetCallPlan;
  readonly #world: CallRecordWorld;
  #noted = 0;
  #hasRaced = false;

  constructor(plan: FleetCallPlan, world: CallRecordWorld) {
    this.#plan = plan;
    this.#world = world;
  }

  /** False if the record of a box that the call has left may have come before the note of that move. */
  get isNoted(): boolean {
    return this.#noted === this.moves.length && !this.#hasRaced;
  }

  /**
   * The call has left a box, whose record does not count.
   * @param onNoted  called once that is noted, or after a second
   */
  moved({ attempt, reason, ms, isWithheld }: Fallback, onNoted?: () => void): void {
    const { box } = attempt;
    attempt.stream.settled(false);
    const { isolate, aggregator, schedule, trace, broken } = this.#world;
    const { id } = this.#plan;
    trace(`${id} moved from ${box}: ${reason}`);
    this.#hasRaced ||= !isWithheld;
    const count = this.moves.push({ box, reason, ms });
    if (count > ATTEMPTS_MAX) broken(`${id} moves too often`);
    const atMs = schedule.nowMs;
    const note = (ledger: SimulatedLedger, nowMs: number) => ledger.moves.note(id, moves, nowMs);
    const moves = [...this.moves];
    let isOver = onNoted === undefined;
    const over = () => {
      if (!isOver) onNoted?.();
      isOver = true;
    };
    if (!isOver) schedule.after(NOTED_MS, over);
    aggregator.surely(
      note,
      () => isolate.isAlive,
      () => {
        this.#hasRaced ||= schedule.nowMs - atMs > NOTE_MS;
        this.#noted = Math.max(this.#noted, count);
        over();
      },
    );
  }

  /** Writes the record as `edge-record.ts` does. @param at  the box that had the call; null if none had */
  write(
    status: Status,
    httpStatus: number,
    at: { box: string; reason: RouteReason } | null,
    isCompleting = false,
  ): void {
    const { aggregator, isolate } = this.#world;
    const { id, atMs, model } = this.#plan;
    const record = recordOf(EPOCH_MS + atMs, {
      request_id: id,
      model,
      box: at?.box ?? null,
      route_reason: at?.reason ?? null,
      attempts: at && this.moves.length + 1,
      moved_from: at && movedFromOf(this.moves),
      status,
      http_status: httpStatus,
      prompt: null,
      response: null,
    });
    const act = (ledger: SimulatedLedger, nowMs: number): void => {
      if (isCompleting) ledger.complete(record, nowMs);
      else ledger.add([record], nowMs, null);
      aggregator.recorded(id);
    };
    aggregator.surely(act, () => isolate.isAlive);
  }
}

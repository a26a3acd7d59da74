/**
 * The attempts of one call: if its box fails before its answer began, another box gets it, at most
 * ATTEMPTS_MAX in all. The last one keeps the record.
 *
 * The caller may have headers and signs of life by then: see `stream/caller-side.ts`.
 */
import type { Move } from "../../protocol/moves.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { insteadOfMissing } from "./absent-holders.ts";
import { ended, hasNext } from "./call-path.ts";
import { moveReasonOf, outcomeOf } from "./failover.ts";
import { countStream } from "./fleet.ts";
import type { Invocation } from "./known-fleet.ts";
import { learnFailure } from "./learned-failure.ts";
import { nextPlace, type Place, type StreamTo, type Wish } from "./place.ts";
import type { CallerSide } from "./stream/caller-side.ts";
import { surely } from "./surely.ts";

/** Longest wait of an answer for the note of its moves. */
const NOTED_MS = 1_000;

export class Attempts {
  readonly #shell: Invocation;
  readonly #wish: Wish;
  readonly #streamTo: StreamTo;
  readonly #caller: CallerSide;
  readonly #moves: Move[] = [];
  #place: Place;
  /** Resolves when the newest note of {@link moves} is written. */
  #noted: Promise<unknown> = Promise.resolve();

  /** @param first  the box that has the call */
  constructor(
    shell: Invocation,
    wish: Wish,
    first: Place,
    { streamTo, caller }: { streamTo: StreamTo; caller: CallerSide },
  ) {
    this.#shell = shell;
    this.#wish = wish;
    this.#place = first;
    this.#streamTo = streamTo;
    this.#caller = caller;
  }

  /** The box that has the call now. */
  get place(): Place {
    return this.#place;
  }

  /** The boxes that had the call before. */
  get moves(): readonly Move[] {
    return this.#moves;
  }

  /**
   * Gives the caller the first answer of a box that begins, or that of the last box. Resolves once that has
   * begun, in most cases: the caller may have left instead.
   * @throws {GatewayError} `holders_away`: the last box lacks a model that others have
   */
  async settle(): Promise<void> {
    for (let isSettled = false; !isSettled; ) {
      const { stream } = this.#place;
      try {
        isSettled = await this.#attempt();
      } finally {
        stream.settled(isSettled);
      }
    }
  }

  /**
   * Waits for the answer of a box, and moves the call if another one gets it then.
   * @returns whether the caller gets this answer
   */
  async #attempt(): Promise<boolean> {
    const { path, stream, fleet, isElsewhere } = this.#place;
    const [shell, wish] = [this.#shell, this.#wish];
    const { box } = path.choice;
    const begunMs = Date.now();
    countStream(box, stream.ended);
    shell.waitUntil(stream.done);
    const answer = await stream.answer;
    const outcome = outcomeOf(answer);
    const reason = hasNext(path) ? moveReasonOf(outcome, isElsewhere) : null;
    const lacking = [box, ...this.#moves.filter(lacksModel).map((move) => move.box)];
    const awayIn = ({ boxes }: Fleet) =>
      wish.wantedBox === null ? insteadOfMissing(outcome, wish.model, boxes, lacking) : null;
    const failed = reason ?? (awayIn(fleet) === null ? null : "model_not_found");
    if (failed !== null) learnFailure(shell, box, failed, wish.model);
    const walk = await nextPlace(shell, wish, this.#place, ended(path, reason), this.#streamTo);
    const [next, away] = [walk.place, awayIn(walk.fleet)];
    if (failed !== null && (next !== null || away !== null)) {
      this.#moves.push({ box, reason: failed, ms: Date.now() - begunMs });
      this.#noted = noteMoves(shell.env, wish.id, [...this.#moves]);
      shell.waitUntil(this.#noted);
    }
    if (next !== null) {
      this.#place = next;
      return false;
    }
    await Promise.race([this.#noted, this.#moves.length === 0 ? null : scheduler.wait(NOTED_MS)]);
    if (away !== null) throw new GatewayError(away);
    shell.waitUntil(this.#caller.give(answer));
    return true;
  }
}

const lacksModel = ({ reason }: Move): boolean => reason === "model_not_found";

/** From now on the record of a box that the call has left does not count. */
const noteMoves = (env: Bindings, id: string, moves: Move[]): Promise<void> =>
  surely("moves_not_noted", id, () => aggregatorOf(env).moved(id, moves));

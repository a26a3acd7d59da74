/**
 * The attempts of one call: if its box fails before an answer began, another box gets it, at most
 * ATTEMPTS_MAX in all. The last one keeps the record.
 */
import type { Move } from "../../protocol/route.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings } from "../env.ts";
import { ended } from "./call-path.ts";
import { moveReasonOf } from "./failover.ts";
import { countStream } from "./fleet.ts";
import type { Invocation } from "./known-fleet.ts";
import { learnFailure } from "./learned-failure.ts";
import { nextPlace, type Place, type StreamTo, type Wish } from "./place.ts";
import { surely } from "./surely.ts";

/** The box whose answer the caller gets, and those that had the call before. */
export type Answered = { place: Place; moves: Move[]; answer: Response };

/** Longest wait of an answer for the note of its moves. */
const NOTED_MS = 1_000;

/** Returns the first answer that has begun, or that of the last box. */
export async function answeredBy(
  shell: Invocation,
  wish: Wish,
  first: Place,
  streamTo: StreamTo,
): Promise<Answered> {
  const moves: Move[] = [];
  let noted: Promise<unknown> = Promise.resolve();
  for (let place = first; ; ) {
    const { path, stream, isElsewhere } = place;
    const { box } = path.choice;
    const begunMs = Date.now();
    countStream(box, stream.ended);
    shell.waitUntil(stream.done);
    const answer = await stream.response;
    const reason = path.others.length === 0 ? null : moveReasonOf(stream.outcome, isElsewhere);
    if (reason !== null) learnFailure(shell, box, reason, wish.model);
    const next = await nextPlace(shell, wish, place, ended(path, reason), streamTo);
    if (reason === null || next === null) {
      await Promise.race([noted, moves.length === 0 ? null : scheduler.wait(NOTED_MS)]);
      return { place, moves, answer };
    }
    moves.push({ box, reason, ms: Date.now() - begunMs });
    noted = noteMoves(shell.env, wish.id, [...moves]);
    shell.waitUntil(noted);
    place = next;
  }
}

/** From now on the record of a box that the call has left does not count. */
const noteMoves = (env: Bindings, id: string, moves: Move[]): Promise<void> =>
  surely("moves_not_noted", id, () => aggregatorOf(env).moved(id, moves));

/**
 * The attempts of one call: if its box fails before an answer began, another box gets it, at most
 * ATTEMPTS_MAX in all. The last one keeps the record.
 */
import type { Move } from "../../protocol/route.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { insteadOfMissing } from "./absent-holders.ts";
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

/**
 * Returns the first answer that has begun, or that of the last box.
 * @throws {GatewayError} `holders_away`: the last box lacks a model that others have
 */
export async function answeredBy(
  shell: Invocation,
  wish: Wish,
  first: Place,
  streamTo: StreamTo,
): Promise<Answered> {
  const moves: Move[] = [];
  let noted: Promise<unknown> = Promise.resolve();
  for (let place = first; ; ) {
    const { path, stream, fleet, isElsewhere } = place;
    const { box } = path.choice;
    const begunMs = Date.now();
    countStream(box, stream.ended);
    shell.waitUntil(stream.done);
    const answer = await stream.response;
    const reason = path.others.length === 0 ? null : moveReasonOf(stream.outcome, isElsewhere);
    const lacking = [box, ...moves.filter(lacksModel).map((move) => move.box)];
    const away =
      wish.wantedBox === null
        ? insteadOfMissing(stream.outcome, wish.model, fleet.boxes, lacking)
        : null;
    const failed = reason ?? (away === null ? null : "model_not_found");
    if (failed !== null) learnFailure(shell, box, failed, wish.model);
    const next = await nextPlace(shell, wish, place, ended(path, reason), streamTo);
    if (failed !== null && (next !== null || away !== null)) {
      moves.push({ box, reason: failed, ms: Date.now() - begunMs });
      noted = noteMoves(shell.env, wish.id, [...moves]);
      shell.waitUntil(noted);
    }
    if (next !== null) {
      place = next;
      continue;
    }
    await Promise.race([noted, moves.length === 0 ? null : scheduler.wait(NOTED_MS)]);
    if (away !== null) throw new GatewayError(away);
    return { place, moves, answer };
  }
}

const lacksModel = ({ reason }: Move): boolean => reason === "model_not_found";

/** From now on the record of a box that the call has left does not count. */
const noteMoves = (env: Bindings, id: string, moves: Move[]): Promise<void> =>
  surely("moves_not_noted", id, () => aggregatorOf(env).moved(id, moves));

/**
 * The joinings that are in force, as this isolate knows them. They come with the fleet, so that a box which
 * connects again does not wait for the registry, and one that was removed cannot keep it busy.
 */
import type { Context } from "hono";
import type { FindJoined } from "../admission.ts";
import type { Env } from "../env.ts";
import { fleetFor, invocationOf } from "./known-fleet.ts";

/** A box joined in another isolate, or was removed there. This one learns it within this. */
const KNOWN_MS = 1_000;

/** A registry that does not answer within this must not keep boxes away. */
const ANSWER_MS = 2_000;

/** Returns how to find the joining of a box. It fails if the registry does not answer. */
export const joinedFor =
  (c: Context<Env>): FindJoined =>
  async ({ box, id }) => {
    const fleet = await Promise.race([
      fleetFor(
        invocationOf(c),
        Date.now(),
        ({ joined = {} }, ageMs) => joined[box] === id || ageMs < KNOWN_MS,
      ),
      scheduler.wait(ANSWER_MS).then(() => null),
    ]);
    if (fleet?.joined === undefined) throw new Error("the registry does not answer");
    return fleet.joined[box] ?? null;
  };

/**
 * The keys that the edge made, as this isolate knows them. They come with the fleet, so finding one
 * rarely costs a call of its own.
 */
import type { Context } from "hono";
import type { FindKey } from "../auth.ts";
import type { Env } from "../env.ts";
import { fleetFor, invocationOf } from "./known-fleet.ts";

/** A key is revoked, or another one made, in another isolate. This one learns it within this. */
const KNOWN_MS = 1_000;

/** Returns how to find a key by its id, for this request. */
export const keysFor =
  (c: Context<Env>): FindKey =>
  async (id: string) => {
    const { keys } = await fleetFor(invocationOf(c), Date.now(), (_, ageMs) => ageMs < KNOWN_MS);
    return keys?.all?.find((key) => key.id === id) ?? null;
  };

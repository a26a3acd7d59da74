/**
 * The keys that the edge made, as this isolate knows them. They come with the fleet, so finding one
 * rarely costs a call of its own.
 */
import type { Context } from "hono";
import type { KeyEnd } from "../../protocol/call-end.ts";
import type { Scope } from "../../protocol/routes.ts";
import { allowedBy } from "../../protocol/scopes.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import type { FindKey } from "../auth.ts";
import type { AttachKey } from "../box/attach.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { DELETED, hasEnded, keyEndOf, stateOf } from "../keys/ends.ts";
import { isPageOf, keyRefusal, lineageOf, mayUseBox } from "../keys/policy.ts";
import type { FoundKey } from "../principal.ts";
import { fleetKnownSince, type Invocation, invocationOf, newFleet } from "./known-fleet.ts";

/** A key is revoked, or another one made, in another isolate. This one learns it within this. */
const KNOWN_MS = 1_000;

/** A page that no known key names has the keys read again, if they are older than this. */
const PAGES_KNOWN_MS = 30_000;

/** A Box that refuses the keys as older this often has lost touch with the Aggregator. */
const RENEWALS_MAX = 3;

/**
 * Returns how to find a key by its id, for a request that no Box checks.
 * @throws {GatewayError} `keys_unchecked` if the Aggregator does not answer
 */
export const keysFor =
  (c: Context<Env>): FindKey =>
  async (id: string) => {
    const known = fleetKnownSince(KNOWN_MS);
    const key = known === null ? null : foundIn(known, id);
    // A key that is not known was made a moment ago, or deleted.
    return key ?? foundIn(await checkedFleet(invocationOf(c)), id);
  };

/**
 * Returns how to find a key by its id, for a call that a Box checks: it refuses a call if the keys have
 * changed since. So a known key is used without waiting, however long ago it was known.
 * @throws {GatewayError} `keys_unchecked` if the key is not known to be valid, and the Aggregator does
 *                        not answer
 */
export const callKeysFor =
  (c: Context<Env>): FindKey =>
  async (id: string) => {
    const known = fleetKnownSince(Number.POSITIVE_INFINITY);
    const key = known === null ? null : foundIn(known, id);
    const isValid = key !== null && stateOf(key.issued, Date.now()) === "valid";
    return isValid ? key : keysFor(c)(id);
  };

/**
 * Returns whether a key is valid now and has this scope. False if the Aggregator does not answer: the
 * reader comes back, and is then checked again.
 */
export async function isStillValid(shell: Invocation, id: string, scope: Scope): Promise<boolean> {
  const fleet = await newFleet(shell);
  const key = fleet === null ? null : foundIn(fleet, id);
  if (key === null || stateOf(key.issued, Date.now()) !== "valid") return false;
  return allowedBy(key.issued.policy.scopes).has(scope);
}

/**
 * Returns whether a valid key names the pages of an origin. A preflight has no key, and anybody may send one:
 * many of them have the keys read once in a while, and not once each.
 */
export async function isPageOfKey(shell: Invocation, origin: string): Promise<boolean> {
  if (isPageOfKnownKey(origin)) return true;
  if (fleetKnownSince(PAGES_KNOWN_MS) !== null) return false;
  await newFleet(shell).catch(() => null);
  return isPageOfKnownKey(origin);
}

/** Returns the same without reading anything: the key of a call is known once it was checked. */
export function isPageOfKnownKey(origin: string): boolean {
  const { keys } = fleetKnownSince(Number.POSITIVE_INFINITY) ?? {};
  return (keys?.all ?? []).some(
    (key) => isPageOf(key.policy, origin) && stateOf(key, Date.now()) === "valid",
  );
}

/** The key of a caller during its call: it may be changed or revoked before the call has its box. */
export class CallerKey {
  readonly #scope: Scope;
  readonly #isCounted: boolean;
  #found: FoundKey;
  #renewals = 0;

  /**
   * @param scope      the call needs it
   * @param isCounted  the call counts towards the limits of the key
   */
  constructor(found: FoundKey, scope: Scope, isCounted: boolean) {
    this.#isCounted = isCounted;
    this.#found = found;
    this.#scope = scope;
  }

  get policy(): FoundKey["issued"]["policy"] {
    return this.#found.issued.policy;
  }

  get end(): KeyEnd {
    return keyEndOf(this.#found.issued);
  }

  /** As it is sent to the Box. */
  get attached(): AttachKey {
    const { issued, version } = this.#found;
    const limits = this.#isCounted ? issued.policy.limits : null;
    const lineage = lineageOf(issued);
    return { id: issued.id, version, isFresh: this.#renewals > 0, lineage, limits };
  }

  /** @throws {GatewayError} unless the key may make this call */
  check({ models, wantedBox }: { models: readonly string[]; wantedBox: string | null }): void {
    const refusal = keyRefusal(this.policy, models, wantedBox);
    if (refusal !== null) throw new GatewayError(refusal);
  }

  /**
   * Reads the key again, because a Box knows that keys have changed since.
   * @throws {GatewayError} `keys_unchecked`, `key_ended`, or `scope_missing` if the call may not go on
   */
  async renew(shell: Invocation): Promise<void> {
    if (++this.#renewals > RENEWALS_MAX) throw new GatewayError({ reason: "keys_unchecked" });
    const { issued, version } = this.#found;
    const isNew = ({ keys }: Fleet) => keys !== undefined && keys.version > version;
    const found = foundIn(await checkedFleet(shell, isNew), issued.id);
    const end = found === null ? DELETED : keyEndOf(found.issued);
    if (found === null || hasEnded(end, Date.now()))
      throw new GatewayError({ reason: "key_ended", ...end });
    if (!allowedBy(found.issued.policy.scopes).has(this.#scope))
      throw new GatewayError({ reason: "scope_missing", scope: this.#scope });
    this.#found = found;
  }
}

/** Returns whether a box may serve a call with this key. */
export const mayServe = (key: CallerKey | null, box: string): boolean =>
  key === null || mayUseBox(key.policy, box);

/** @throws {GatewayError} `keys_unchecked` */
async function checkedFleet(shell: Invocation, isNew?: (fleet: Fleet) => boolean): Promise<Fleet> {
  const fleet = await newFleet(shell, isNew);
  if (fleet === null) throw new GatewayError({ reason: "keys_unchecked" });
  return fleet;
}

function foundIn({ keys }: Fleet, id: string): FoundKey | null {
  const issued = keys?.all?.find((key) => key.id === id);
  return keys === undefined || issued === undefined ? null : { issued, version: keys.version };
}

/**
 * The keys that seal requests, one random key after the other.
 *
 * Kept here and not derived from `ADMIN_KEY`: open mode has none, and replacing it must not make the
 * records worthless that still wait on a box. A Worker gets the key with the list of boxes, so sealing
 * costs no call.
 */

import * as z from "zod";
import { DAY_MS } from "../../protocol/day.ts";
import { newSealKey, type SealKey } from "../seal.ts";

/** A key seals for this long. */
export const SEAL_KEY_MS = 30 * DAY_MS;

/**
 * Seals of a key are accepted for this long after it was made. The record of a request may therefore
 * wait on its box for at least 60 days.
 */
export const SEAL_ACCEPTED_MS = 90 * DAY_MS;

const Row = z.object({ id: z.string(), secret: z.string(), made_at_ms: z.number() });

export class SealKeys {
  readonly #sql: SqlStorage;
  #rows: z.infer<typeof Row>[];

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#rows = sql
      .exec("SELECT id, secret, made_at_ms FROM seal_keys ORDER BY made_at_ms")
      .toArray()
      .map((row) => Row.parse(row));
  }

  /**
   * Returns the key that seals now. Makes the next one, and deletes those that are too old, if it
   * is time.
   */
  current(nowMs: number): SealKey {
    const last = this.#rows.at(-1);
    if (last !== undefined && nowMs - last.made_at_ms < SEAL_KEY_MS) return last;
    const next = { ...newSealKey(), made_at_ms: nowMs };
    this.#sql.exec(
      "INSERT INTO seal_keys (id, secret, made_at_ms) VALUES (?, ?, ?)",
      next.id,
      next.secret,
      next.made_at_ms,
    );
    this.#sql.exec("DELETE FROM seal_keys WHERE made_at_ms <= ?", nowMs - SEAL_ACCEPTED_MS);
    this.#rows = [...this.accepted(nowMs), next];
    return next;
  }

  /** Returns the keys whose seals are accepted. */
  accepted(nowMs: number): z.infer<typeof Row>[] {
    return this.#rows.filter(({ made_at_ms }) => nowMs - made_at_ms < SEAL_ACCEPTED_MS);
  }
}

/** The boxes that joined, and the codes to join with, as the registry keeps them. Pure. */

import * as z from "zod";
import type { BoxDetail, NeverConnected } from "../../protocol/api/fleet.ts";
import type { JoinCodeEntry } from "../../protocol/api/joining.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { BoxName } from "../../protocol/records.ts";

export type BoxAdmission = Pick<BoxDetail, "admission" | "joined_at">;

/** Times in unix ms. */
export const JoinedBox = z.object({
  box: BoxName,
  id: z.string(),
  joined_at_ms: z.number(),
  /** Null while it may connect. */
  ended_at_ms: z.number().nullable(),
  /** `revoked`: by an administrator; `left`: by the box itself. */
  ended: z.enum(["revoked", "left"]).nullable(),
});
export type JoinedBox = z.infer<typeof JoinedBox>;

export const IssuedCode = z.object({
  id: z.string(),
  /** The only name that may join with it; null for any that is free. */
  name: BoxName.nullable(),
  made_at_ms: z.number(),
  expires_at_ms: z.number(),
  /** When it was used or cancelled. */
  ended_at_ms: z.number().nullable(),
  /** The box that joined with it. */
  box: BoxName.nullable(),
});
export type IssuedCode = z.infer<typeof IssuedCode>;

/** A code that is over stays in the list for this long, so that the page can show the outcome. */
export const CODE_SHOWN_MS = DAY_MS;
export const CODES_MAX = 100;

export function shownCode(code: IssuedCode, nowMs: number): JoinCodeEntry {
  const { id, name, box, ended_at_ms, made_at_ms, expires_at_ms } = code;
  const over = nowMs < expires_at_ms ? "waiting" : "expired";
  return {
    id,
    name,
    state: box !== null ? "used" : ended_at_ms !== null ? "cancelled" : over,
    made_at: timeOf(made_at_ms),
    expires_at: timeOf(expires_at_ms),
    box,
    joined_at: box === null || ended_at_ms === null ? null : timeOf(ended_at_ms),
  };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

/** Returns the boxes that may connect and have not, in order of name. @param known  the boxes that have */
export function neverConnected(
  joined: readonly JoinedBox[],
  secretBoxes: Iterable<string>,
  known: ReadonlySet<string>,
): NeverConnected[] {
  const members = joined.map(
    ({ box, joined_at_ms }): NeverConnected => ({
      name: box,
      admission: "certificate",
      joined_at: timeOf(joined_at_ms),
      next_step:
        "On the machine, run ollama-edge-agent check: it names what keeps the agent from connecting.",
    }),
  );
  const names = new Set([...known, ...members.map(({ name }) => name)]);
  const others = Array.from(secretBoxes).filter((name) => !names.has(name));
  const secret = others.map(
    (name): NeverConnected => ({
      name,
      admission: "secret",
      joined_at: null,
      next_step: `On the machine, run install.sh with EDGE_URL, BOX_NAME=${name} and its secret as BOX_SECRET.`,
    }),
  );
  return [...members.filter(({ name }) => !known.has(name)), ...secret].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}

/** Returns how a box may connect, for `/api/boxes`. @param joined  null if it has never joined */
export function admissionOf(
  joined: JoinedBox | null,
  { isSecretBox, isOpen }: { isSecretBox: boolean; isOpen: boolean },
): BoxAdmission {
  if (joined !== null && joined.ended_at_ms === null)
    return { admission: "certificate", joined_at: timeOf(joined.joined_at_ms) };
  return { admission: isSecretBox ? "secret" : isOpen ? "open" : null, joined_at: null };
}

/** The policy of a key: which models and boxes it may use. Pure. */
import * as z from "zod";
import { KeyId, KeyPolicy } from "../../protocol/api/keys.ts";
import { withTag } from "../../protocol/inventory.ts";

/** A key that the edge made, as it is stored. Times in unix ms. */
export const IssuedKey = z.object({
  id: KeyId,
  policy: KeyPolicy,
  created_at_ms: z.number(),
  /** From then on it is refused; null: not revoked. The end of the overlap if it was replaced. */
  revoked_at_ms: z.number().nullable(),
  /** The key of its rotation. Null again if it was revoked within the overlap. */
  replaced_by: KeyId.nullable(),
  /** The first of the keys that replaced each other up to this one. Absent for that first one. */
  lineage: KeyId.optional(),
});
export type IssuedKey = z.infer<typeof IssuedKey>;

/** Returns the id under which the use of a key is counted: a key and those that replace it share it. */
export const lineageOf = ({ id, lineage }: Pick<IssuedKey, "id" | "lineage">): string =>
  lineage ?? id;

/** Returns whether a key may use a model. `*` in a pattern stands for any characters. */
export const mayUseModel = ({ models }: Pick<KeyPolicy, "models">, model: string): boolean =>
  models === null || models.some((pattern) => matches(pattern, model));

/** Returns whether a key may use a box. */
export const mayUseBox = ({ boxes }: Pick<KeyPolicy, "boxes">, box: string): boolean =>
  boxes === null || boxes.includes(box);

/** Returns whether a key may be used by pages of an origin, and those of no other. */
export const isPageOf = ({ origins }: Pick<KeyPolicy, "origins">, origin: string): boolean =>
  origins?.includes(origin.toLowerCase()) === true;

/** A pattern without a tag means `:latest`, as in a name, unless it ends with `*`. */
export function matches(pattern: string, model: string): boolean {
  const whole = pattern.endsWith("*") ? pattern : withTag(pattern);
  const parts = whole.toLowerCase().split("*");
  const name = withTag(model).toLowerCase();
  const [first = "", ...rest] = parts;
  if (rest.length === 0) return name === first;
  const last = rest.pop() ?? "";
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + last.length <= name.length;
}

/**
 * Returns why a key may not make a call; null if it may.
 * @param models  all that the call names
 * @param box     the box that the caller named
 */
export function keyRefusal(
  policy: Pick<KeyPolicy, "models" | "boxes">,
  models: readonly string[],
  box: string | null,
): { reason: "model_forbidden"; model: string } | { reason: "box_forbidden"; box: string } | null {
  const model = models.find((each) => !mayUseModel(policy, each));
  if (model !== undefined) return { reason: "model_forbidden", model };
  if (box !== null && !mayUseBox(policy, box)) return { reason: "box_forbidden", box };
  return null;
}

/** The models that a key may call now. Pure. */
import type { KeyPolicy } from "../../protocol/api/keys.ts";
import { mayUseBox, mayUseModel } from "../keys/policy.ts";
import type { RegisteredBox } from "../registered-box.ts";

/** Returns the names of the models on the boxes that are up, in order of name. */
export const modelsFor = (
  policy: Pick<KeyPolicy, "models" | "boxes">,
  boxes: readonly RegisteredBox[],
): string[] => {
  const models = boxes
    .filter(({ name, state }) => state === "up" && mayUseBox(policy, name))
    .flatMap(({ readings }) => readings?.inventory.models ?? [])
    .filter(({ name }) => mayUseModel(policy, name));
  return [...new Set(models.map(({ name }) => name))].sort();
};

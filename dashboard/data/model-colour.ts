/** The colours that this browser has given to models, kept in local storage. */
import { signal } from "@preact/signals";
import { MODEL_COLOURS, withColours } from "../shape/model-colour.ts";
import { untagged } from "../shape/models.ts";

const NAME = "model-colours";
/** Models come and go: beyond this many, all colours are given again. */
const KEPT_MAX = 200;

const colours = signal(stored());

/** Returns the class of a model's colour. Without a model it is grey. */
export function modelClass(model: string | null): string {
  if (model === null) return "model-none";
  const name = untagged(model);
  const known = withColours(colours.peek(), [name]);
  if (known !== colours.peek()) {
    colours.value = Object.keys(known).length > KEPT_MAX ? withColours({}, [name]) : known;
    localStorage.setItem(NAME, JSON.stringify(colours.peek()));
  }
  return `model-${colours.peek()[name] ?? "none"}`;
}

/** Returns the class of a part of a chart. Boxes and keys are coloured in their order. */
export function groupClass(
  split: "model" | "box" | "key",
  group: string | null,
  index: number,
): string {
  if (split === "model" || group === null) return modelClass(group);
  return `model-${(index % MODEL_COLOURS) + 1}`;
}

/** The content of local storage is untrusted. */
function stored(): Record<string, number> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(NAME) ?? "{}");
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(
        ([, colour]) => Number.isInteger(colour) && colour >= 1 && colour <= MODEL_COLOURS,
      ),
    );
  } catch {
    return {};
  }
}

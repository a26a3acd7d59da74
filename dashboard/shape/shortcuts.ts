/** The keys that work everywhere on the page, as they are listed and as they are found. Pure. */

export type ShortcutName =
  | "palette"
  | "help"
  | "page"
  | "pause"
  | "compare"
  | "share"
  | "refresh"
  | "theme";

export const SHORTCUTS: readonly { name: ShortcutName; keys: string; text: string }[] = [
  {
    name: "palette",
    keys: "Ctrl K",
    text: "Find a page, box, model, key or request, or run an action",
  },
  { name: "palette", keys: "/", text: "The same" },
  { name: "page", keys: "1 – 9", text: "Open the page with this digit in the navigation" },
  { name: "pause", keys: "p", text: "Pause, or follow the present again" },
  {
    name: "compare",
    keys: "c",
    text: "Compare with the period before, then with a week before, then with nothing",
  },
  { name: "refresh", keys: "r", text: "Refresh now" },
  { name: "share", keys: "y", text: "Copy the link to this view" },
  { name: "theme", keys: "t", text: "Switch the theme" },
  { name: "help", keys: "?", text: "List the keys" },
];

/** The parts of a pressed key that decide. */
export type Pressed = {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** True if the key belongs to a field or a dialog. */
  isTyped: boolean;
};

const BY_KEY: Readonly<Record<string, ShortcutName>> = {
  "/": "palette",
  "?": "help",
  p: "pause",
  c: "compare",
  r: "refresh",
  y: "share",
  t: "theme",
};

/** @returns null if the key is not for the page */
export function shortcutOf({ key, ctrlKey, metaKey, altKey, isTyped }: Pressed) {
  if (key.toLowerCase() === "k" && ctrlKey !== metaKey && !altKey)
    return { name: "palette" as const, digit: null };
  if (isTyped || ctrlKey || metaKey || altKey) return null;
  if (/^[1-9]$/.test(key)) return { name: "page" as const, digit: Number(key) };
  const name = Object.hasOwn(BY_KEY, key) ? BY_KEY[key] : undefined;
  return name === undefined ? null : { name, digit: null };
}

/** The dialogs of the frame, and the keys that open them or act at once. */
import { signal } from "@preact/signals";
import { refreshNow } from "../data/live.ts";
import { linkTo, togglePause } from "../data/scope.ts";
import { shareView } from "../data/share.ts";
import { type ShortcutName, shortcutOf } from "../shape/shortcuts.ts";
import { openPages } from "./pages.tsx";
import { switchTheme } from "./theme.tsx";

/** The open dialog. */
export const overlay = signal<"palette" | "help" | null>(null);

const open = (which: "palette" | "help") => {
  overlay.value = which;
};

const ACTIONS: Record<Exclude<ShortcutName, "page">, () => void> = {
  palette: () => open("palette"),
  help: () => open("help"),
  pause: togglePause,
  share: () => void shareView(),
  refresh: refreshNow,
  theme: switchTheme,
};

const FIELDS = "input, textarea, select, [contenteditable], dialog";

export function listenToKeys(): () => void {
  const onKey = (event: KeyboardEvent) => {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    const isTyped = target instanceof Element && target.closest(FIELDS) !== null;
    if (event.defaultPrevented || (overlay.peek() !== null && isTyped)) return;
    const found = shortcutOf({ key, ctrlKey, metaKey, altKey, isTyped });
    if (found === null) return;
    if (found.name !== "page") {
      event.preventDefault();
      ACTIONS[found.name]();
      return;
    }
    const page = openPages()[(found.digit ?? 0) - 1];
    if (page !== undefined) location.hash = linkTo(page);
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}

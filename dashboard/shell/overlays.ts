/** The dialogs of the frame, and the keys that open them or act at once. */
import { signal } from "@preact/signals";
import { refreshNow } from "../data/live.ts";
import { linkTo, switchComparison, togglePause } from "../data/scope.ts";
import { shareView } from "../data/share.ts";
import { type ShortcutName, shortcutOf } from "../shape/shortcuts.ts";
import { listedPages } from "./pages.tsx";
import { switchTheme } from "./theme.tsx";

type OverlayName = "palette" | "help";

/** The open dialog. Each opening is an object of its own. */
export const overlay = signal<{ name: OverlayName } | null>(null);

export const openOverlay = (name: OverlayName): void => {
  overlay.value = { name };
};

/**
 * Takes a closed dialog away, unless the next one has been opened since: a browser reports that a
 * dialog was closed only after the code that closed it has run on.
 */
export const overlayClosed = (closed: { name: OverlayName }): void => {
  if (overlay.peek() === closed) overlay.value = null;
};

const ACTIONS: Record<Exclude<ShortcutName, "page">, () => void> = {
  palette: () => openOverlay("palette"),
  help: () => openOverlay("help"),
  pause: togglePause,
  compare: switchComparison,
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
    const page = listedPages()[(found.digit ?? 0) - 1];
    if (page !== undefined) location.hash = linkTo(page);
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}

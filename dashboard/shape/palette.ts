/**
 * The command palette: everything that a person may look for, and which of it fits the typed text.
 * Pure.
 */
import { isRequestId } from "./request-id.ts";

/** `action` is run, and `href` is opened. */
export type PaletteEntry = {
  /** The kind of thing, shown beside its name. */
  kind: "Page" | "View" | "Box" | "Model" | "Key" | "Request" | "Time" | "Action";
  name: string;
  /** Further words by which it is found. */
  words?: string;
  shortcut?: string;
} & ({ href: string } | { action: () => void });

const SHOWN_MAX = 12;

/** Returns the commands that fit the text, the best ones first; without a text, the first ones. */
export function commandsFor(typed: string, commands: readonly PaletteEntry[]): PaletteEntry[] {
  const text = typed.trim().toLowerCase();
  if (text === "") return commands.slice(0, SHOWN_MAX);
  return commands
    .map((command, index) => ({ command, index, rank: rankOf(text, command) }))
    .filter(({ rank }) => rank !== null)
    .toSorted((a, b) => (a.rank ?? 0) - (b.rank ?? 0) || a.index - b.index)
    .slice(0, SHOWN_MAX)
    .map(({ command }) => command);
}

/** Lower is better; null: does not fit. Every word of the text must occur, in any order. */
function rankOf(text: string, { name, words = "", kind }: PaletteEntry): number | null {
  const lower = name.toLowerCase();
  if (lower === text) return 0;
  if (lower.startsWith(text)) return 1;
  const parts = text.split(/\s+/);
  const all = `${lower} ${words.toLowerCase()} ${kind.toLowerCase()}`;
  if (parts.every((part) => new RegExp(`(^|[^a-z0-9])${escaped(part)}`).test(all))) return 2;
  if (parts.every((part) => all.includes(part))) return 3;
  return lettersOccur(text.replaceAll(" ", ""), lower) ? 4 : null;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Returns whether the letters occur in their order, as in "gpt2" for "gpt-oss:20b". */
function lettersOccur(letters: string, name: string): boolean {
  let from = 0;
  for (const letter of letters) {
    const found = name.indexOf(letter, from);
    if (found < 0) return false;
    from = found + 1;
  }
  return true;
}

/** Returns the command that opens a request, if the text is the id of one. */
export const requestCommand = (typed: string, hrefOf: (id: string) => string): PaletteEntry[] => {
  const id = typed.trim().toLowerCase();
  return isRequestId(id) ? [{ kind: "Request", name: id, href: hrefOf(id) }] : [];
};

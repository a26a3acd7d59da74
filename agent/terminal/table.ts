/** Text in columns that fit a terminal. Pure. */
import type { Paint, Style } from "./paint.ts";

export type TextColumn = {
  title: string;
  /** Figures stand at the right. */
  isFigure?: boolean;
  /** Gives up its width first if the table is too wide. One column has it. */
  isFlexible?: boolean;
};

export type TextCell = string | { text: string; style: Style };

const GAP = "  ";
const FLEXIBLE_CHARS_MIN = 8;

/** Returns the lines of a table, its title first. Each is at most `width` wide, unless the fixed columns are wider. */
export function tableLines(
  columns: readonly TextColumn[],
  rows: readonly (readonly TextCell[])[],
  width: number,
  paint: Paint,
): string[] {
  const widths = widthsOf(columns, rows, width);
  const line = (cells: readonly TextCell[]) =>
    columns
      .map(({ isFigure }, place) => {
        const { text, style } = cellOf(cells[place] ?? "");
        const chars = widths[place] ?? 0;
        const cut = shortenedText(text, chars);
        const space = " ".repeat(Math.max(0, chars - cut.length));
        const isLast = place === columns.length - 1;
        return isFigure ? space + paint(cut, style) : paint(cut, style) + (isLast ? "" : space);
      })
      .join(GAP);
  const head = columns.map(({ title }) => ({ text: title, style: "dim" }) as const);
  return [line(head), ...rows.map(line)];
}

function widthsOf(
  columns: readonly TextColumn[],
  rows: readonly (readonly TextCell[])[],
  width: number,
): number[] {
  const widths = columns.map(({ title }, place) =>
    Math.max(title.length, ...rows.map((row) => cellOf(row[place] ?? "").text.length)),
  );
  const tooWide = widths.reduce((sum, one) => sum + one, GAP.length * (columns.length - 1)) - width;
  const flexible = columns.findIndex(({ isFlexible }) => isFlexible);
  return widths.map((one, place) =>
    place === flexible && tooWide > 0 ? Math.max(FLEXIBLE_CHARS_MIN, one - tooWide) : one,
  );
}

const cellOf = (cell: TextCell) =>
  typeof cell === "string" ? ({ text: cell, style: "plain" } as const) : cell;

export const shortenedText = (text: string, chars: number): string =>
  text.length <= chars ? text : `${text.slice(0, Math.max(0, chars - 1))}…`;

/** Breaks text into lines of at most `chars` characters, unless a word is longer. */
export function wrappedText(text: string, chars: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= chars) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Colours of a terminal, and which output gets them. Pure, apart from the stream it looks at. */
import type { WriteStream } from "node:tty";

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "plain";

export type Paint = (text: string, style: Style) => string;

const CODES: Record<Exclude<Style, "plain">, [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
};

export const unpainted: Paint = (text) => text;

export const painted: Paint = (text, style) => {
  if (style === "plain" || text === "") return text;
  const [on, off] = CODES[style];
  return `\x1b[${on}m${text}\x1b[${off}m`;
};

/** Returns colours for a terminal that has them. Node knows NO_COLOR and TERM. */
export const paintFor = (stream: Pick<WriteStream, "isTTY" | "hasColors">): Paint =>
  stream.isTTY && stream.hasColors() ? painted : unpainted;

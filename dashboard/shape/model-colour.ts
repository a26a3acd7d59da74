/** The colour of a model: the same everywhere on the page, and after a reload. Pure. */

export const MODEL_COLOURS = 10;

/**
 * Adds a colour, 1 to {@link MODEL_COLOURS}, for each name that has none. A name keeps the colour that
 * its letters give it, unless another model has it; so most models look alike in every browser.
 * @returns `known` itself if nothing is new
 */
export function withColours(
  known: Readonly<Record<string, number>>,
  names: readonly string[],
): Readonly<Record<string, number>> {
  const missing = [...new Set(names)].filter((name) => !Object.hasOwn(known, name)).sort();
  if (missing.length === 0) return known;
  const colours: Record<string, number> = { ...known };
  for (const name of missing) colours[name] = freeColour(colours, hashOfName(name));
  return colours;
}

/** With more models than colours, some share theirs. */
function freeColour(taken: Readonly<Record<string, number>>, hash: number): number {
  const used = new Set(Object.values(taken));
  for (let n = 0; n < MODEL_COLOURS; n++) {
    const colour = ((hash + n) % MODEL_COLOURS) + 1;
    if (!used.has(colour)) return colour;
  }
  return (hash % MODEL_COLOURS) + 1;
}

/** FNV-1a, 32 bits. */
function hashOfName(name: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < name.length; n++)
    hash = Math.imul(hash ^ name.charCodeAt(n), 0x01000193) >>> 0;
  return hash;
}

/** Parses the tables of endpoints of a contract in Markdown: `| `GET /api/x` | `{a, b:[{c}]}` | … |`. */

export type Row = { paths: string[]; fields: string[] };

/** @param text  the sections that hold the tables; a `|` within a cell is escaped */
export function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  for (const line of text.split("\n")) {
    const [endpoint = "", ...shapes] = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    const [first] = endpoint.match(/\/(api|healthz)[^\s`?,]*/) ?? [];
    if (first === undefined) continue;
    // `DELETE /api/data/metrics` · `/logs`: siblings of the first.
    const siblings = [...endpoint.matchAll(/· `(\/\w+)`/g)].map(([, last]) =>
      first.replace(/\/\w+$/, last ?? ""),
    );
    // The first cell with a shape wins.
    const fields = shapes.map(fieldsOf).find((names) => names.length > 0) ?? [];
    rows.push({ paths: [first, ...siblings], fields });
  }
  return rows;
}

/** Returns the names of the fields in `{…}`, at any depth. */
function fieldsOf(cell: string): string[] {
  const bare = cell
    .replace(/"[^"]*"/g, "")
    .replace(/\([^)]*\)/g, "")
    .replace(/\[[^[\]{}]*\]/g, "")
    .replace(/: *[\w\\|]+(?=[,}])/g, "");
  return [...bare.matchAll(/\{[^`]*\}/g)].flatMap(([braces]) =>
    [...braces.matchAll(/[{,] *([a-z_]\w*)/g)].map(([, name]) => name ?? ""),
  );
}

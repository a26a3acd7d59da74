/** A table of nvidia-smi: its columns with their values, units and names. Pure. */

type Column<Row> = {
  /** Null if the card has no such reading. */
  value: (row: Row) => string | null;
  unit?: string;
  /** Another name for the same column. */
  alias?: string;
};

export const NOT_AVAILABLE = "[N/A]";

/** `query` is the option that prints the table, without its dashes. */
export function tableOf<Row>(query: string, columns: Record<string, Column<Row>>) {
  const byName = new Map(
    Object.entries(columns).flatMap(([name, column]) =>
      [name, ...(column.alias === undefined ? [] : [column.alias])].map(
        (each) => [each, column] as const,
      ),
    ),
  );
  return {
    /** Returns the first name that is not a column. */
    unknown: (names: readonly string[]): string | null =>
      names.find((name) => !byName.has(name)) ?? null,

    header: (names: readonly string[]): string =>
      names
        .map((name) => {
          const unit = byName.get(name)?.unit;
          return unit === undefined ? name : `${name} [${unit}]`;
        })
        .join(", "),

    row: (names: readonly string[], row: Row, hasUnits: boolean): string =>
      names
        .map((name) => {
          const column = byName.get(name);
          const value = column?.value(row) ?? null;
          if (value === null) return NOT_AVAILABLE;
          return hasUnits && column?.unit !== undefined ? `${value} ${column.unit}` : value;
        })
        .join(", "),

    /** The answer to `--help-query-…`: each property on a line, with its other name. */
    help: (): string =>
      [
        `List of valid properties to query for the switch "--${query}":`,
        ...Object.entries(columns).map(([name, { alias }]) =>
          alias === undefined ? `\n"${name}"` : `\n"${name}" or "${alias}"`,
        ),
      ].join("\n"),
  };
}

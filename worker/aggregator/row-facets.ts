/** Counts rows by the values of each facet, and by time. Takes them in slices. Pure. */
import {
  FACET_VALUES_MAX,
  FACETS,
  type Facet,
  type LogFacets,
} from "../../protocol/api/log-facets.ts";
import type { CallKind } from "../../protocol/call-kind.ts";
import type { Status } from "../../protocol/records.ts";
import { timeOf } from "../../protocol/uuid-time.ts";
import { shortName } from "../counting/model-key.ts";
import { facetTests, type RowEntry, type RowFilter } from "./row-filter.ts";

type Span = { fromMs: number; untilMs: number; buckets: number };
type Counted<Value> = { value: Value; requests: number }[];
/** The counts, before the keys have names and the oldest request a time. */
export type FacetCounts = Pick<LogFacets, "total" | "histogram"> & {
  status: Counted<Status>;
  model: Counted<string>;
  box: Counted<string>;
  key: Counted<string>;
  kind: Counted<CallKind>;
};

const VALUES: Record<Facet, (row: RowEntry) => string | null> = {
  status: ({ status }) => status,
  model: ({ model }) => model,
  box: ({ box }) => box,
  key: ({ key_id }) => key_id,
  kind: ({ kind }) => kind,
};

export class RowFacets {
  readonly #tests: ReturnType<typeof facetTests>;
  readonly #counts: Record<Facet, Map<string, number>>;
  readonly #span: Span;
  readonly #bucketMs: number;
  readonly #histogram: Record<Status, number[]>;
  #total = 0;

  /** @param filter  the facets that are narrowed; rows must match the rest of the query already */
  constructor(filter: RowFilter, span: Span) {
    this.#tests = facetTests(filter);
    this.#span = span;
    this.#bucketMs = Math.max(1, Math.ceil((span.untilMs - span.fromMs) / span.buckets));
    const bars = () => Array<number>(span.buckets).fill(0);
    this.#histogram = { success: bars(), error: bars(), cancelled: bars() };
    const none = FACETS.map((facet) => [facet, new Map<string, number>()] as const);
    this.#counts = Object.fromEntries(none) as Record<Facet, Map<string, number>>;
  }

  add(rows: readonly RowEntry[]): void {
    for (const row of rows) {
      const failed = FACETS.filter((facet) => this.#tests[facet]?.(row) === false);
      if (failed.length === 0) this.#match(row);
      // A value of the one facet that it fails is what could be selected instead.
      else if (failed.length === 1) this.#count(failed[0] as Facet, row);
    }
  }

  get counts(): FacetCounts {
    return {
      total: this.#total,
      status: this.#most("status"),
      model: this.#most("model", shortName),
      box: this.#most("box"),
      key: this.#most("key"),
      kind: this.#most("kind"),
      histogram: {
        from: new Date(this.#span.fromMs).toISOString(),
        bucket_ms: this.#bucketMs,
        ...this.#histogram,
      },
    };
  }

  #match(row: RowEntry): void {
    this.#total++;
    for (const facet of FACETS) this.#count(facet, row);
    const at = Math.floor((timeOf(row.request_id) - this.#span.fromMs) / this.#bucketMs);
    const bars = this.#histogram[row.status];
    if (at >= 0 && at < bars.length) bars[at] = (bars[at] ?? 0) + 1;
  }

  #count(facet: Facet, row: RowEntry): void {
    const value = VALUES[facet](row);
    const counts = this.#counts[facet];
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }

  /** @param nameOf  joins the values that select the same requests */
  #most<Value extends string>(facet: Facet, nameOf = (value: string) => value): Counted<Value> {
    const joined = new Map<string, number>();
    for (const [value, requests] of this.#counts[facet])
      joined.set(nameOf(value), (joined.get(nameOf(value)) ?? 0) + requests);
    return [...joined]
      .map(([value, requests]) => ({ value: value as Value, requests }))
      .sort((a, b) => b.requests - a.requests || (a.value < b.value ? -1 : 1))
      .slice(0, FACET_VALUES_MAX);
  }
}

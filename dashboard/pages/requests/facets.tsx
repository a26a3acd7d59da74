/** The filters beside the list: each value with the number of requests that it would find. */
import { useRef, useState } from "preact/hooks";
import type { Facet, LogFacets } from "../../../protocol/api/log-facets.ts";
import { modelClass } from "../../data/model-colour.ts";
import {
  FACET_NAMES,
  FACET_TITLES,
  type FacetValue,
  steadyValues,
  valueName,
} from "../../shape/facets.ts";
import { type Filters, isFiltered, toggled, unfiltered } from "../../shape/filters.ts";
import { compact } from "../../shape/format.ts";

/** More values than this wait behind a button. */
const VALUES_SHOWN = 7;

type Props = {
  /** Null until they are counted. */
  facets: LogFacets | null;
  filters: Filters;
  change: (filters: Filters) => void;
};

export function Facets({ facets, filters, change }: Props) {
  // On a phone only: there the filters would fill the screen.
  const [isOpen, setIsOpen] = useState(false);
  return (
    <search class={isOpen ? "facets" : "facets closed"} aria-label="Filters">
      <div class="facets-head">
        <h2>Filters</h2>
        <button
          type="button"
          class="small facets-toggle"
          aria-expanded={isOpen}
          onClick={() => setIsOpen(!isOpen)}
        >
          {isOpen ? "Hide" : "Show"}
          <span class="sr-only"> the filters</span>
        </button>
        <button
          type="button"
          class="small"
          disabled={!isFiltered(filters)}
          onClick={() => change(unfiltered(filters))}
        >
          Clear
        </button>
      </div>
      {FACET_NAMES.map((facet) => (
        <FacetList
          key={facet}
          facet={facet}
          counted={facets?.[facet] ?? null}
          chosen={filters[facet]}
          choose={(value) => change(toggled(filters, facet, value))}
        />
      ))}
    </search>
  );
}

type ListProps = {
  facet: Facet;
  counted: readonly { value: string; name?: string | null; requests: number }[] | null;
  chosen: string | null;
  choose: (value: string) => void;
};

function FacetList({ facet, counted, chosen, choose }: ListProps) {
  const [showsAll, setShowsAll] = useState(false);
  const steady = useRef<FacetValue[]>([]);
  const latest = counted?.map(({ value, name, requests }) => ({
    value,
    name: valueName(facet, value, name),
    requests,
  }));
  steady.current = steadyValues(
    steady.current,
    latest ?? [],
    chosen === null ? null : { value: chosen, name: valueName(facet, chosen), requests: 0 },
  );
  const values = steady.current;
  if (counted !== null && values.length === 0) return null;
  const shown = showsAll
    ? values
    : values.filter(({ value }, at) => at < VALUES_SHOWN || value === chosen);
  const rest = values.length - shown.length;
  return (
    <fieldset class="facet">
      <legend>{FACET_TITLES[facet]}</legend>
      {shown.map(({ value, name, requests }) => (
        <button
          key={value}
          type="button"
          class={`facet-value ${facet === "status" ? value : ""}`}
          aria-pressed={value === chosen}
          title={name}
          onClick={() => choose(value)}
        >
          <i class={facet === "model" ? modelClass(value) : undefined} />
          <span class="facet-name">{name}</span>
          <span class="facet-count">{compact(requests)}</span>
        </button>
      ))}
      {(rest > 0 || showsAll) && (
        <button type="button" class="facet-more" onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? "Fewer" : `${rest} more`}
        </button>
      )}
    </fieldset>
  );
}

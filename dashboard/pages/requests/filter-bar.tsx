/** The filters of the request list. Every change applies at once and is stored in the URL. */
import { useEffect, useState } from "preact/hooks";
import { live } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { Choice } from "../../parts/basics.tsx";
import { CloseIcon } from "../../parts/icons.tsx";
import { type Filters, isFiltered, PERIODS, STATUSES } from "../../shape/filters.ts";
import { RANGE_NAMES } from "../../shape/history.ts";

/** The search starts after this long without a keystroke. */
const TYPING_MS = 300;
const KEYS = ["admin", "caller", "read"];
const CUSTOM = "custom";
const STATUS_NAMES: Record<(typeof STATUSES)[number], string> = {
  success: "Success",
  error: "Error",
  cancelled: "Cancelled",
};

const PERIOD_NAMES = Object.keys(PERIODS) as (keyof typeof PERIODS)[];

type Props = { filters: Filters; change: (filters: Filters) => void };

export function FilterBar({ filters, change }: Props) {
  const { data: models } = useQuery("/api/models", {}, 30_000);
  const boxes = live.value?.value.boxes.map(({ name }) => name) ?? [];
  const set = (changed: Filters) => change({ ...filters, ...changed });
  const isCustom = filters.from !== undefined || filters.until !== undefined;
  const [showsCustomRange, setShowsCustomRange] = useState(isCustom);

  const setPeriod = (period: string) => {
    setShowsCustomRange(period === CUSTOM);
    const { period: _, from: __, until: ___, ...rest } = filters;
    change(period === "" || period === CUSTOM ? rest : { ...rest, period });
  };

  return (
    <search class="filters">
      <Search value={filters.q ?? ""} change={(q) => set({ q })} />
      <Choice
        label="Status"
        options={[
          { value: "", name: "All" },
          ...STATUSES.map((status) => ({ value: status as string, name: STATUS_NAMES[status] })),
        ]}
        chosen={filters.status ?? ""}
        choose={(status) => set({ status })}
      />
      <Pick
        label="Model"
        all="All models"
        value={filters.model}
        options={models?.models.map(({ name }) => name) ?? []}
        change={(model) => set({ model })}
      />
      <Pick
        label="Box"
        all="All boxes"
        value={filters.box}
        options={boxes}
        change={(box) => set({ box })}
      />
      <Pick
        label="Key"
        all="All keys"
        value={filters.key}
        options={KEYS}
        change={(key) => set({ key })}
      />
      <label class="pick">
        <span class="sr-only">Time</span>
        <select
          value={showsCustomRange ? CUSTOM : (filters.period ?? "")}
          onChange={(event) => setPeriod(event.currentTarget.value)}
        >
          <option value="">Any time</option>
          {PERIOD_NAMES.map((period) => (
            <option key={period} value={period}>
              Last {RANGE_NAMES[period]}
            </option>
          ))}
          <option value={CUSTOM}>Custom range</option>
        </select>
      </label>
      {showsCustomRange && (
        <span class="span">
          <label>
            From{" "}
            <input
              type="datetime-local"
              value={filters.from ?? ""}
              onChange={(event) => set({ from: event.currentTarget.value })}
            />
          </label>
          <label>
            To{" "}
            <input
              type="datetime-local"
              value={filters.until ?? ""}
              onChange={(event) => set({ until: event.currentTarget.value })}
            />
          </label>
        </span>
      )}
      {isFiltered(filters) && (
        <button
          type="button"
          class="small"
          onClick={() => {
            setShowsCustomRange(false);
            change({});
          }}
        >
          <CloseIcon /> Clear
        </button>
      )}
    </search>
  );
}

function Search({ value, change }: { value: string; change: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => change(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <input
      type="search"
      class="search"
      aria-label="Search texts, or enter a request ID"
      placeholder="Search texts, or enter a request ID"
      maxLength={200}
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
    />
  );
}

type PickProps = {
  label: string;
  all: string;
  value: string | undefined;
  options: readonly string[];
  change: (value: string) => void;
};

function Pick({ label, all, value = "", options, change }: PickProps) {
  // A value in the URL stays selectable even if no box or model has that name now.
  const shown = value === "" || options.includes(value) ? options : [value, ...options];
  return (
    <label class="pick">
      <span class="sr-only">{label}</span>
      <select value={value} onChange={(event) => change(event.currentTarget.value)}>
        <option value="">{all}</option>
        {shown.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

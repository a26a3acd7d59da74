/** Which requests. Every change shows at once, and stands in the address. */
import { useEffect, useState } from "preact/hooks";
import { live } from "../../data/live.ts";
import { useRead } from "../../data/query.ts";
import { Choice } from "../../parts/basics.tsx";
import { CloseIcon } from "../../parts/icons.tsx";
import { type Filters, isFiltered, PERIODS, STATUSES } from "../../shape/filters.ts";

/** A text is searched for when this long no letter was typed. */
const TYPING_MS = 300;
const KEYS = ["admin", "caller", "read"];
const CUSTOM = "custom";

type Props = { filters: Filters; change: (filters: Filters) => void };

export function FilterBar({ filters, change }: Props) {
  const { data: models } = useRead("/api/models", {}, 30_000);
  const boxes = live.value?.value.boxes.map(({ name }) => name) ?? [];
  const set = (changed: Filters) => change({ ...filters, ...changed });
  const isCustom = filters.from !== undefined || filters.until !== undefined;
  const [showsSpan, setShowsSpan] = useState(isCustom);

  const setPeriod = (period: string) => {
    setShowsSpan(period === CUSTOM);
    const { period: _, from: __, until: ___, ...rest } = filters;
    change(period === "" || period === CUSTOM ? rest : { ...rest, period });
  };

  return (
    <search class="filters">
      <Search value={filters.q ?? ""} change={(q) => set({ q })} />
      <Choice
        label="Status"
        options={[
          { value: "", name: "all" },
          ...STATUSES.map((status) => ({ value: status as string, name: status as string })),
        ]}
        chosen={filters.status ?? ""}
        choose={(status) => set({ status })}
      />
      <Pick
        label="Model"
        all="all models"
        value={filters.model}
        options={models?.models.map(({ name }) => name) ?? []}
        change={(model) => set({ model })}
      />
      <Pick
        label="Box"
        all="all boxes"
        value={filters.box}
        options={boxes}
        change={(box) => set({ box })}
      />
      <Pick
        label="Key"
        all="all keys"
        value={filters.key}
        options={KEYS}
        change={(key) => set({ key })}
      />
      <label class="pick">
        <span class="sr-only">Time</span>
        <select
          value={showsSpan ? CUSTOM : (filters.period ?? "")}
          onChange={(event) => setPeriod(event.currentTarget.value)}
        >
          <option value="">any time</option>
          {Object.keys(PERIODS).map((period) => (
            <option key={period} value={period}>
              last {period}
            </option>
          ))}
          <option value={CUSTOM}>from … to …</option>
        </select>
      </label>
      {showsSpan && (
        <span class="span">
          <label>
            from{" "}
            <input
              type="datetime-local"
              value={filters.from ?? ""}
              onChange={(event) => set({ from: event.currentTarget.value })}
            />
          </label>
          <label>
            to{" "}
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
            setShowsSpan(false);
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
      aria-label="Text in prompt, response or error"
      placeholder="Text in prompt, response or error"
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
  // What is in the address stays choosable, also when nobody knows it now.
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

/** The finished requests, one line each, on one common time axis. */
import { useMemo, useRef } from "preact/hooks";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import type { LogSort } from "../../../protocol/log-order.ts";
import { TableScroll } from "../../parts/basics.tsx";
import type { Filters } from "../../shape/filters.ts";
import { duration } from "../../shape/format.ts";
import { type ColumnName, columnOf } from "../../shape/request-columns.ts";
import { hashOf } from "../../shape/route.ts";
import { axisMs } from "../../shape/timeline.ts";
import { CELLS } from "./cells.tsx";

type Props = {
  logs: readonly LogEntry[];
  columns: readonly ColumnName[];
  isLoading: boolean;
  /** The request whose details are shown. */
  opened: string | null;
  open: (id: string) => void;
  order: Pick<Filters, "sort" | "order">;
  sortBy: (sort: LogSort) => void;
};

export function LogTable({ logs, columns, isLoading, opened, open, order, sortBy }: Props) {
  const axis = useMemo(() => axisMs(logs.map(({ latency_ms }) => latency_ms)), [logs]);
  const names = columns.join();
  return (
    <TableScroll label="Request list">
      <table
        class={isLoading ? "log loading" : "log"}
        onKeyDown={(event) => walk(event, opened, open)}
      >
        <thead>
          <tr>
            {columns.map((name) => (
              <Head key={name} name={name} axis={axis} order={order} sortBy={sortBy} />
            ))}
          </tr>
        </thead>
        <tbody>
          {logs.map((entry) => (
            <Row
              key={entry.id}
              entry={entry}
              names={names}
              axis={axis}
              isOpen={opened === entry.id}
              open={open}
            />
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

/** Up and down move from row to row, and open the next one if one is open. */
function walk(event: KeyboardEvent, opened: string | null, open: Props["open"]): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const { target, currentTarget } = event;
  if (step === 0 || !(currentTarget instanceof Element)) return;
  const links = [...currentTarget.querySelectorAll<HTMLAnchorElement>(".row-link")];
  const next = links[links.indexOf(target as HTMLAnchorElement) + step];
  if (!links.includes(target as HTMLAnchorElement) || next === undefined) return;
  event.preventDefault();
  next.focus();
  if (opened !== null) open(new URLSearchParams(next.hash.split("?")[1]).get("open") ?? "");
}

type HeadProps = Pick<Props, "order" | "sortBy"> & { name: ColumnName; axis: number };

function Head({ name, axis, order, sortBy }: HeadProps) {
  const { title, about, sort, isNumber } = columnOf(name);
  const isSorted = sort !== undefined && sort === order.sort;
  const direction = order.order === "desc" ? "descending" : "ascending";
  return (
    <th
      scope="col"
      class={isNumber ? `c-${name} number` : `c-${name}`}
      aria-sort={isSorted ? direction : undefined}
    >
      {sort === undefined ? (
        <>
          {title}
          {name === "timeline" && axis > 0 && <span class="axis"> 0–{duration(axis)}</span>}
        </>
      ) : (
        <button type="button" class="sort" title={about} onClick={() => sortBy(sort)}>
          {title}
          <span aria-hidden="true">{isSorted ? (order.order === "desc" ? " ↓" : " ↑") : ""}</span>
        </button>
      )}
    </th>
  );
}

type RowProps = {
  entry: LogEntry;
  /** The columns as one text, which stays the same text. */
  names: string;
  axis: number;
  isOpen: boolean;
  open: Props["open"];
};

function Row({ entry, names, axis, isOpen, open }: RowProps) {
  const { id } = entry;
  const latestOpen = useRef(open);
  latestOpen.current = open;
  // A finished request never changes: the same elements skip its row when the list is read again.
  return useMemo(() => {
    const columns = names.split(",") as ColumnName[];
    const show = (event: MouseEvent) => {
      // With a modifier, the link opens another tab.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      latestOpen.current(id);
    };
    return (
      <tr class={isOpen ? "row open" : "row"} onClick={show}>
        {columns.map((name) => (
          <td key={name} class={columnOf(name).isNumber ? `c-${name} number` : `c-${name}`}>
            {name === "time" ? (
              <a
                class="row-link"
                href={hashOf("requests", { open: id })}
                aria-current={isOpen ? "true" : undefined}
                onClick={show}
              >
                {CELLS.time({ entry, axisMs: axis })}
                <span class="sr-only"> Details of request {id}</span>
              </a>
            ) : (
              CELLS[name]({ entry, axisMs: axis })
            )}
          </td>
        ))}
      </tr>
    );
  }, [id, isOpen, names, axis]);
}

/** The finished requests, newest first. Each row expands to its details. */
import { useMemo, useRef } from "preact/hooks";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { Moment, Pill, TableScroll, type Tone } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { ChevronIcon } from "../../parts/icons.tsx";
import { count, duration } from "../../shape/format.ts";
import { Detail } from "./detail.tsx";
import { Waterfall } from "./waterfall.tsx";

export const STATUS_TONES: Record<LogEntry["status"], Tone> = {
  success: "good",
  error: "bad",
  cancelled: "quiet",
};

/** A response that broke off after its headers has status 200, which would contradict "error". */
const nameOf = ({ status, http_status }: LogEntry): string =>
  status === "error" && http_status >= 400 ? `error ${http_status}` : status;

const COLUMNS = 9;

type Props = {
  label: string;
  logs: readonly LogEntry[];
  isLoading: boolean;
  /** The request whose details are shown. */
  opened: string | null;
  open: (id: string | null) => void;
};

export function LogTable({ label, logs, isLoading, opened, open }: Props) {
  return (
    <TableScroll label={label}>
      <table class={isLoading ? "log loading" : "log"}>
        <thead>
          <tr>
            <th scope="col">
              <span class="sr-only">Details</span>
            </th>
            <th scope="col">Time</th>
            <th scope="col">Status</th>
            <th scope="col">Model</th>
            <th scope="col">Box</th>
            <th scope="col" class="number">
              Latency
            </th>
            <th scope="col">Timeline</th>
            <th scope="col" class="number">
              Tokens
            </th>
            <th scope="col">Prompt</th>
          </tr>
        </thead>
        <tbody>
          {logs.map((entry) => {
            const isOpen = opened === entry.id;
            return <Row key={entry.id} entry={entry} isOpen={isOpen} open={open} />;
          })}
        </tbody>
      </table>
    </TableScroll>
  );
}

type RowProps = { entry: LogEntry; isOpen: boolean; open: Props["open"] };

function Row({ entry, isOpen, open }: RowProps) {
  const { id } = entry;
  const latestOpen = useRef(open);
  latestOpen.current = open;
  // A finished request never changes: the same elements skip its row when the list is read again.
  return useMemo(() => {
    const toggle = () => latestOpen.current(isOpen ? null : id);
    return (
      <>
        <tr class={isOpen ? "row open" : "row"} onClick={toggle}>
          <td>
            <button
              type="button"
              class="plain twist"
              aria-expanded={isOpen}
              aria-label={`Details of request ${id}`}
              onClick={(event) => {
                event.stopPropagation();
                toggle();
              }}
            >
              <ChevronIcon />
            </button>
          </td>
          <td>
            <Moment iso={entry.timestamp} />
          </td>
          <td>
            <Pill tone={STATUS_TONES[entry.status]}>{nameOf(entry)}</Pill>
          </td>
          <td class="strong">{entry.model ?? <span class="quiet mono">{entry.endpoint}</span>}</td>
          <td>
            <BoxCell box={entry.box} simulated={entry.simulated} />
          </td>
          <td class="number">{duration(entry.latency_ms)}</td>
          <td>
            <Waterfall entry={entry} />
          </td>
          <td class="number">{count(entry.tokens_used)}</td>
          <td class="text">
            {entry.error_message ?? entry.prompt ?? <span class="quiet">not stored</span>}
          </td>
        </tr>
        {isOpen && (
          <tr class="detail-row">
            <td colSpan={COLUMNS}>
              <Detail id={id} />
            </td>
          </tr>
        )}
      </>
    );
  }, [id, isOpen]);
}

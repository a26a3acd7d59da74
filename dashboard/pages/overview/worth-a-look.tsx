/** Requests worth a look: the newest that failed, then the slowest, of the period. */
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { minuteMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo, scope } from "../../data/scope.ts";
import { Moment, Section, TableScroll } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import { Heads, NumberHeads } from "../../parts/table-heads.tsx";
import { count, duration, energy, UNKNOWN } from "../../shape/format.ts";
import { secondsOfRange } from "../../shape/history.ts";
import { READ_EVERY_MS } from "../../shape/read-pace.ts";
import { isLive, periodOf } from "../../shape/scope.ts";

const EACH = 4;

export function WorthALook() {
  const { box, model, key } = scope.value;
  const usual = secondsOfRange(preferences.value.range);
  const { fromMs, untilMs } = periodOf(scope.value, minuteMs.value, usual);
  const query = {
    since: new Date(fromMs).toISOString(),
    until: isLive(scope.value) ? undefined : new Date(untilMs).toISOString(),
    box: box ?? undefined,
    model: model ?? undefined,
    key: key ?? undefined,
    limit: EACH,
    texts: "short",
  };
  const failed = useQuery(
    "/api/stats/logs",
    { query: { ...query, status: "error" } },
    READ_EVERY_MS.slowAndFailed,
  );
  const slowest = useQuery(
    "/api/stats/logs",
    { query: { ...query, sort: "latency", status: "success" } },
    READ_EVERY_MS.slowAndFailed,
  );
  const rows = [...(failed.data?.logs ?? []), ...(slowest.data?.logs ?? [])];
  if (rows.length === 0) return null;
  const longest = Math.max(...rows.map(({ latency_ms }) => latency_ms));
  return (
    <Section title="Worth a look" aside={<a href={linkTo("requests")}>Open in Requests</a>}>
      <TableScroll label="Requests worth a look">
        <table class="worth">
          <thead>
            <tr>
              <Heads names={["Time", "Model", "Box", "Key"]} />
              <NumberHeads names={["First token"]} />
              <th scope="col">Time taken</th>
              <NumberHeads names={["Out", "Energy"]} />
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((entry) => (
              <Row key={entry.id} entry={entry} longest={longest} />
            ))}
          </tbody>
        </table>
      </TableScroll>
    </Section>
  );
}

function Row({ entry, longest }: { entry: LogEntry; longest: number }) {
  const { id, status, model, endpoint, box, key_name, key_id, latency_ms, error_message } = entry;
  const isFailed = status === "error";
  return (
    <tr>
      <td>
        <a href={linkTo("requests", {}, { open: id })}>
          <Moment iso={entry.timestamp} />
        </a>
      </td>
      <td class="strong">
        {model === null ? <span class="mono">{endpoint}</span> : <ModelLink model={model} />}
      </td>
      <td>
        <BoxCell box={box} simulated={entry.simulated} isBrief isLink />
      </td>
      <td>{key_name ?? key_id ?? UNKNOWN}</td>
      <td class="number">{duration(entry.ttft_ms)}</td>
      <td>
        <span class="taken">
          <i
            class={isFailed ? "failed" : undefined}
            style={{ width: `${Math.max(1, (100 * latency_ms) / longest)}%` }}
          />
        </span>{" "}
        {duration(latency_ms)}
      </td>
      <td class="number">{count(entry.completion_tokens)}</td>
      <td class="number">{energy(entry.energy_j)}</td>
      <td class={isFailed ? "text bad-text" : "text quiet"}>
        {isFailed ? (error_message ?? `HTTP ${entry.http_status}`) : "one of the slowest"}
      </td>
    </tr>
  );
}

/** The newest requests of a model: its speed on each box, its contexts, the loads that callers waited for. */
import { useMemo } from "preact/hooks";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo, scope } from "../../data/scope.ts";
import { Empty, FailureNote, Moment, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { Heads, NumberHeads } from "../../parts/table-heads.tsx";
import { count, duration, energy, tokenRate, UNKNOWN } from "../../shape/format.ts";
import { awaitedLoads, contextsOf, speedsOf } from "../../shape/model-requests.ts";
import { rateText, statusText } from "../../shape/request-figures.ts";

/** Enough for medians. Their texts are short, so the answer stays small. */
const NEWEST = 200;
const EVERY_MS = 60_000;
const LISTED = 8;

/** @property advice  the keep-alive that would have saved loads */
export function ModelRequests({ model, advice }: { model: string; advice: string }) {
  const query = { model, box: scope.value.box ?? undefined, limit: NEWEST, texts: "short" };
  const { data, error, refetch } = useQuery("/api/stats/logs", { query }, EVERY_MS);
  const all = data?.logs ?? [];
  return (
    <Section
      title="Its newest requests"
      aside={<span class="aside">{data === null ? "" : `the last ${count(all.length)}`}</span>}
    >
      {error !== null && (
        <FailureNote title="Could not load the requests." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={4} />
      ) : all.length === 0 ? (
        <Empty title="No requests are stored" />
      ) : (
        <>
          <div class="halves">
            <Speeds logs={all} />
            <Contexts logs={all} advice={advice} />
          </div>
          <Newest logs={all.slice(0, LISTED)} model={model} />
        </>
      )}
    </Section>
  );
}

type Props = { logs: readonly LogEntry[] };

function Speeds({ logs }: Props) {
  const speeds = useMemo(() => speedsOf(logs), [logs]);
  return (
    <TableScroll label="Speed on each box">
      <table>
        <thead>
          <tr>
            <th scope="col">Box</th>
            <NumberHeads names={["Requests", "Failed", "Decode rate", "First token", "Latency"]} />
          </tr>
        </thead>
        <tbody>
          {speeds.map(({ box, requests, failed, tokensPerSecond, ttftMs, latencyMs }) => (
            <tr key={box}>
              <th scope="row">
                <BoxCell box={box} isBrief isLink />
              </th>
              <td class="number">{count(requests)}</td>
              <td class={failed > 0 ? "number bad-text" : "number"}>{count(failed)}</td>
              <td class="number">{tokenRate(tokensPerSecond)}</td>
              <td class="number">{duration(ttftMs)}</td>
              <td class="number">{duration(latencyMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Contexts({ logs, advice }: Props & { advice: string }) {
  const contexts = useMemo(() => contextsOf(logs), [logs]);
  const loads = useMemo(() => awaitedLoads(logs), [logs]);
  return (
    <div class="card">
      <dl class="facts">
        {contexts.map(({ contextLength, requests, longestPrompt, truncated }) => (
          <div key={contextLength}>
            <dt>Context {count(contextLength)}</dt>
            <dd>
              {count(requests)} {requests === 1 ? "request" : "requests"}, longest prompt{" "}
              {count(longestPrompt)} tokens
              {truncated > 0 && <span class="warn-text">, {count(truncated)} truncated</span>}
            </dd>
          </div>
        ))}
        {contexts.length === 0 && (
          <div>
            <dt>Context</dt>
            <dd>{UNKNOWN}</dd>
          </div>
        )}
        <div>
          <dt>Waited for a load</dt>
          <dd>
            {loads.requests === 0
              ? "None"
              : `${count(loads.requests)} of ${count(logs.length)}: median ${duration(loads.medianMs)}, longest ${duration(loads.longestMs)}`}
          </dd>
        </div>
        <div>
          <dt>Keep-alive</dt>
          <dd>{advice}</dd>
        </div>
      </dl>
    </div>
  );
}

const Newest = ({ logs, model }: Props & { model: string }) => (
  <>
    <TableScroll label="Newest requests">
      <table>
        <thead>
          <tr>
            <Heads names={["Time", "Box", "Key"]} />
            <NumberHeads names={["First token", "Latency", "Out", "tok/s", "Energy"]} />
          </tr>
        </thead>
        <tbody>
          {logs.map((entry) => (
            <tr key={entry.id}>
              <td>
                <a href={linkTo("requests", { model }, { open: entry.id })}>
                  <Moment iso={entry.timestamp} />
                </a>
                {entry.status !== "success" && (
                  <span class={entry.status === "error" ? "bad-text" : "quiet"}>
                    {" "}
                    {statusText(entry)}
                  </span>
                )}
              </td>
              <td>{entry.box ?? UNKNOWN}</td>
              <td>{entry.key_name ?? entry.key_id ?? UNKNOWN}</td>
              <td class="number">{duration(entry.ttft_ms)}</td>
              <td class="number">{duration(entry.latency_ms)}</td>
              <td class="number">{count(entry.completion_tokens)}</td>
              <td class="number">{rateText(entry)}</td>
              <td class="number">{energy(entry.energy_j)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
    <p class="footnote">
      Speeds are medians of the requests that succeeded.{" "}
      <a href={linkTo("requests", { model })}>All its requests</a>
    </p>
  </>
);

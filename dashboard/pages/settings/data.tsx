/** The stored data, with exports and with deletions that require typing a phrase. */
import { useState } from "preact/hooks";
import { callJson } from "../../data/api.ts";
import { download, stamp } from "../../data/download.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Moment, Section, Skeleton } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { bytes, count, UNKNOWN } from "../../shape/format.ts";

type Clearing = {
  path: "/api/data/logs" | "/api/data/metrics" | "/api/data/all";
  phrase: string;
  name: string;
  text: string;
};

const CLEARINGS: readonly Clearing[] = [
  {
    path: "/api/data/logs",
    phrase: "clear logs",
    name: "Clear requests",
    text: "Permanently deletes all finished requests with their prompts and responses. The metrics are kept.",
  },
  {
    path: "/api/data/metrics",
    phrase: "clear metrics",
    name: "Clear metrics",
    text: "Permanently resets the totals, history, model statistics and GPU samples. The requests are kept.",
  },
  {
    path: "/api/data/all",
    phrase: "clear everything",
    name: "Clear everything",
    text: "Permanently deletes all finished requests and all metrics.",
  },
];

const STORES = { durable_object: "Edge", clickhouse: "ClickHouse", postgres: "Postgres" };

const StoredCount = ({
  name,
  amount,
  from,
  to,
}: {
  name: string;
  amount: number;
  from: string | null;
  to: string | null;
}) => (
  <div>
    <dt>{name}</dt>
    <dd>
      {count(amount)}
      {from !== null && (
        <span class="below">
          <Moment iso={from} /> to <Moment iso={to} />
        </span>
      )}
    </dd>
  </div>
);

export function StoredData({ isAdmin }: { isAdmin: boolean }) {
  const { data, error, refetch } = useQuery("/api/data/summary", {}, 15_000);
  const [confirming, setConfirming] = useState<Clearing | null>(null);
  const [pending, setPending] = useState<string[]>([]);
  return (
    <Section title="Stored data">
      <div class="card">
        {error !== null && (
          <FailureNote title="Could not load the summary." detail={error} retry={refetch} />
        )}
        {data === null ? (
          error === null && <Skeleton lines={3} />
        ) : (
          <dl class="facts">
            <StoredCount
              name="Requests"
              amount={data.logs_count}
              from={data.oldest_log}
              to={data.newest_log}
            />
            <StoredCount
              name="Chart data points"
              amount={data.metrics_count}
              from={data.oldest_metric}
              to={data.newest_metric}
            />
            {data.databases.map(({ store, size_bytes }) => (
              <div key={store}>
                <dt>{STORES[store]} database</dt>
                <dd>
                  {size_bytes === null ? UNKNOWN : bytes(size_bytes, preferences.value.sizes)}
                </dd>
              </div>
            ))}
          </dl>
        )}
        <div class="actions">
          <button
            type="button"
            onClick={() => download("/api/stats/current", {}, `metrics-${stamp()}.json`)}
          >
            Export totals (JSON)
          </button>
          <button
            type="button"
            onClick={() =>
              download(
                "/api/stats/history",
                { query: { time_range: "24h" } },
                `history-${stamp()}.json`,
              )
            }
          >
            Export 24 h history (JSON)
          </button>
        </div>
        <div class="actions">
          {CLEARINGS.map((clearing) => (
            <button
              key={clearing.path}
              type="button"
              class="danger"
              disabled={!isAdmin}
              onClick={() => setConfirming(clearing)}
            >
              {clearing.name}…
            </button>
          ))}
        </div>
        {pending.map((failure) => (
          <FailureNote
            key={failure}
            title="Not cleared yet; retrying until the store responds."
            detail={failure}
          />
        ))}
        {!isAdmin && <p class="quiet">Clearing data needs a key with the admin scope.</p>}
      </div>
      {confirming !== null && (
        <Confirm
          title={confirming.name}
          text={confirming.text}
          phrase={confirming.phrase}
          action={confirming.name}
          onConfirm={async () => {
            const { stores } = await callJson("DELETE", confirming.path);
            refetch();
            const pending = stores.filter((store) => store.error !== null);
            setPending(pending.map(({ store, error }) => `${STORES[store]}: ${error}`));
          }}
          onClose={() => setConfirming(null)}
        />
      )}
    </Section>
  );
}

/** What is stored, and clearing it: each after its name was typed. */
import { useState } from "preact/hooks";
import { ask } from "../../data/api.ts";
import { download, stamp } from "../../data/download.ts";
import { preferences } from "../../data/preferences.ts";
import { useRead } from "../../data/query.ts";
import { FailureNote, Moment, Section, Skeleton } from "../../parts/basics.tsx";
import { TypedConfirm } from "../../parts/dialog.tsx";
import { bytes, count, UNKNOWN } from "../../shape/format.ts";

type Clearing = {
  path: "/api/data/logs" | "/api/data/metrics" | "/api/data/all";
  typed: string;
  name: string;
  text: string;
};

const CLEARINGS: readonly Clearing[] = [
  {
    path: "/api/data/logs",
    typed: "clear logs",
    name: "Clear the requests",
    text: "Deletes all finished requests with their prompts and responses, for good. The counts stay.",
  },
  {
    path: "/api/data/metrics",
    typed: "clear metrics",
    name: "Clear the metrics",
    text: "Sets the totals, the history, the statistics of models and the GPU samples back to nothing, for good. The requests stay.",
  },
  {
    path: "/api/data/all",
    typed: "clear everything",
    name: "Clear everything",
    text: "Deletes all finished requests and all metrics, for good. Nothing of the past is left.",
  },
];

const STORES = { durable_object: "the edge", clickhouse: "ClickHouse", postgres: "Postgres" };

const Kept = ({
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
  const { data, error, refetch } = useRead("/api/data/summary", {}, 15_000);
  const [asked, setAsked] = useState<Clearing | null>(null);
  const [later, setLater] = useState<string[]>([]);
  return (
    <Section title="Data">
      <div class="card">
        {error !== null && (
          <FailureNote what="The summary could not be read." why={error} again={refetch} />
        )}
        {data === null ? (
          error === null && <Skeleton lines={3} />
        ) : (
          <dl class="facts">
            <Kept
              name="Requests"
              amount={data.logs_count}
              from={data.oldest_log}
              to={data.newest_log}
            />
            <Kept
              name="Sums for charts"
              amount={data.metrics_count}
              from={data.oldest_metric}
              to={data.newest_metric}
            />
            {data.databases.map(({ store, size_bytes }) => (
              <div key={store}>
                <dt>Size in {STORES[store]}</dt>
                <dd>
                  {size_bytes === null ? UNKNOWN : bytes(size_bytes, preferences.value.sizes)}
                </dd>
              </div>
            ))}
          </dl>
        )}
        <div class="acts">
          <button
            type="button"
            onClick={() => download("/api/stats/current", {}, `metrics-${stamp()}.json`)}
          >
            Export the totals (JSON)
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
            Export the history of 24 h (JSON)
          </button>
        </div>
        <div class="acts">
          {CLEARINGS.map((clearing) => (
            <button
              key={clearing.path}
              type="button"
              class="danger"
              disabled={!isAdmin}
              onClick={() => setAsked(clearing)}
            >
              {clearing.name} …
            </button>
          ))}
        </div>
        {later.map((why) => (
          <FailureNote
            key={why}
            what="Not cleared yet, but as soon as it can be reached:"
            why={why}
          />
        ))}
        {!isAdmin && <p class="quiet">Clearing needs a key with the scope admin.</p>}
      </div>
      {asked !== null && (
        <TypedConfirm
          title={asked.name}
          text={asked.text}
          typed={asked.typed}
          act={asked.name}
          onConfirm={async () => {
            const { stores } = await ask("DELETE", asked.path);
            refetch();
            const later = stores.filter((store) => store.error !== null);
            setLater(later.map(({ store, error }) => `${STORES[store]}: ${error}`));
          }}
          onClose={() => setAsked(null)}
        />
      )}
    </Section>
  );
}

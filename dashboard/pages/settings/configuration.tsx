/** The configuration of the edge. Two settings can be changed while it runs. */
import { useState } from "preact/hooks";
import type { Config, ConfigPatch } from "../../../protocol/api/config.ts";
import type { SinkHealth } from "../../../protocol/api/fleet.ts";
import { callJson, errorMessage } from "../../data/api.ts";
import { live } from "../../data/live.ts";
import { Ago, Moment, Pill, Section } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { type Fact, FactList } from "../../parts/fact-list.tsx";
import { count } from "../../shape/format.ts";

const STORES: Record<Config["exporter_type"], string> = {
  none: "None",
  clickhouse: "ClickHouse",
  postgres: "Postgres",
  both: "ClickHouse and Postgres",
};

const REMOVAL_HERE =
  "Also permanently removes the prompts, responses and error messages that the edge has stored. The requests and their figures are kept.";
const REMOVAL = {
  edge: REMOVAL_HERE,
  everywhere: `${REMOVAL_HERE} Texts in the external stores stay until you run "npm run erase:texts".`,
};

type Props = { config: Config; isAdmin: boolean; changed: () => void };

const hours = (value: number): string =>
  value % 24 === 0 && value > 24 ? `${count(value / 24)} days` : `${count(value)} h`;

export function Configuration({ config, isAdmin, changed }: Props) {
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const patch = async (body: ConfigPatch) => {
    setIsBusy(true);
    setError(null);
    try {
      await callJson("PATCH", "/api/config", { body });
      changed();
    } catch (caught) {
      setError(errorMessage(caught));
    }
    setIsBusy(false);
  };
  const [isRemoving, setIsRemoving] = useState(false);
  const { retention } = config;
  const facts: Fact[] = [
    ["Version", config.version],
    ["Access", config.auth_mode === "open" ? "Open, from this machine only" : "API key required"],
    ["Your scopes", config.scopes.join(", ")],
    ["External stores", STORES[config.exporter_type]],
    ["Export interval", `${count(config.metrics_export_interval)} s`],
    ...(config.clickhouse_host === null ? [] : [["ClickHouse", config.clickhouse_host] as const]),
    ...(config.postgres_host === null ? [] : [["Postgres", config.postgres_host] as const]),
    [
      "Request retention",
      `${count(retention.logs_days)} days, at most ${count(retention.logs_rows_max)}`,
    ],
    ["Text retention", hours(retention.texts_hours)],
    [
      "Metrics retention",
      `per minute for ${count(retention.minutes_days)} days, per hour for ${count(retention.hours_days)} days`,
    ],
    ["GPU sample retention", hours(retention.samples_hours)],
    [
      "Event retention",
      [
        ...(retention.events_days === null ? [] : [`${count(retention.events_days)} days`]),
        `at most ${count(retention.events_max)}`,
      ].join(", "),
    ],
    ["Audit log retention", `${count(retention.audit_days)} days`],
    ...(retention.stores === null
      ? []
      : [
          [
            "Retention in external stores",
            `requests ${count(retention.stores.logs_days)} days, samples ${count(retention.stores.samples_days)} days, ` +
              `sums ${count(retention.stores.sums_days)} days`,
          ] as const,
        ]),
    ["Last changed", config.changed_at === null ? "Never" : <Moment iso={config.changed_at} />],
  ];
  return (
    <Section title="Edge">
      <div class="card">
        <Switch
          name="Record requests"
          isOn={config.enable_instrumentation}
          isDisabled={!isAdmin || isBusy}
          set={(isOn) => patch({ enable_instrumentation: isOn })}
        />
        <Switch
          name="Store prompts and responses"
          isOn={config.log_content === "on"}
          isDisabled={!isAdmin || isBusy}
          set={(isOn) => (isOn ? patch({ log_content: "on" }) : setIsRemoving(true))}
        />
        {!isAdmin && <p class="quiet">Changing these settings needs a key with the admin scope.</p>}
        {error !== null && (
          <p class="error-text" role="alert">
            {error}
          </p>
        )}
        <FactList facts={facts} />
        {live.value !== null && <ExternalStores sinks={live.value.value.health.sinks} />}
      </div>
      {isRemoving && (
        <Confirm
          title="Stop storing prompts and responses"
          text={REMOVAL[config.exporter_type === "none" ? "edge" : "everywhere"]}
          phrase="remove texts"
          action="Remove texts"
          onConfirm={async () => {
            await callJson("PATCH", "/api/config", { body: { log_content: "off" } });
            changed();
          }}
          onClose={() => setIsRemoving(false)}
        />
      )}
    </Section>
  );
}

const Switch = ({
  name,
  isOn,
  isDisabled,
  set,
}: {
  name: string;
  isOn: boolean;
  isDisabled: boolean;
  set: (isOn: boolean) => void;
}) => (
  <label class="setting">
    <span class="setting-name">{name}</span>
    <input
      type="checkbox"
      role="switch"
      aria-checked={isOn}
      class="switch"
      checked={isOn}
      disabled={isDisabled}
      onChange={() => set(!isOn)}
    />
  </label>
);

const ExternalStores = ({ sinks }: { sinks: readonly SinkHealth[] }) =>
  sinks.length === 0 ? null : (
    <ul class="sinks" aria-label="External stores and collectors">
      {sinks.map(({ sink, state, backlog, delivered, last_success, last_error }) => (
        <li key={sink}>
          <strong>{sink}</strong> <Pill tone={state === "ok" ? "good" : "bad"}>{state}</Pill>
          <span>{count(delivered)} delivered</span>
          <span>{count(backlog)} unsent</span>
          <span>
            last delivery <Ago iso={last_success} />
          </span>
          {state === "failing" && last_error !== null && (
            <span class="error-text">{last_error.message}</span>
          )}
        </li>
      ))}
    </ul>
  );

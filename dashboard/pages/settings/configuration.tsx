/** How the edge is set. Two settings can change while it runs. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Config, ConfigPatch } from "../../../protocol/api/config.ts";
import type { SinkHealth } from "../../../protocol/api/fleet.ts";
import { ask, wordsOf } from "../../data/api.ts";
import { live } from "../../data/live.ts";
import { Ago, Moment, Pill, Section } from "../../parts/basics.tsx";
import { count } from "../../shape/format.ts";

type Props = { config: Config; isAdmin: boolean; changed: () => void };

export function Configuration({ config, isAdmin, changed }: Props) {
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const patch = async (body: ConfigPatch) => {
    setIsBusy(true);
    setError(null);
    try {
      await ask("PATCH", "/api/config", { body });
      changed();
    } catch (caught) {
      setError(wordsOf(caught));
    }
    setIsBusy(false);
  };
  const { retention } = config;
  const facts: (readonly [string, ComponentChildren])[] = [
    ["Version", config.version],
    ["Access", config.auth_mode === "open" ? "open, on this machine only" : "with keys"],
    ["This key may", config.scopes.join(", ")],
    ["Stores", config.exporter_type],
    ["Written every", `${count(config.metrics_export_interval)} s`],
    ...(config.clickhouse_host === null ? [] : [["ClickHouse", config.clickhouse_host] as const]),
    ...(config.postgres_host === null ? [] : [["Postgres", config.postgres_host] as const]),
    [
      "Requests are kept",
      `${count(retention.logs_days)} days, ${count(retention.logs_rows_max)} at most`,
    ],
    [
      "Sums are kept",
      `by minute ${count(retention.minutes_days)} days, by hour ${count(retention.hours_days)} days`,
    ],
    ["GPU samples are kept", `${count(retention.samples_hours)} h`],
    [
      "Changed at run time",
      config.changed_at === null ? "never" : <Moment iso={config.changed_at} />,
    ],
  ];
  return (
    <Section title="The edge">
      <div class="card">
        <Switch
          name="Record requests"
          isOn={config.enable_instrumentation}
          isDisabled={!isAdmin || isBusy}
          set={(isOn) => patch({ enable_instrumentation: isOn })}
        />
        <Switch
          name="Keep prompts and responses"
          isOn={config.log_content === "on"}
          isDisabled={!isAdmin || isBusy}
          set={(isOn) => patch({ log_content: isOn ? "on" : "off" })}
        />
        {!isAdmin && <p class="quiet">Changing these needs a key with the scope admin.</p>}
        {error !== null && (
          <p class="error-text" role="alert">
            {error}
          </p>
        )}
        <dl class="facts">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {live.value !== null && <Sinks sinks={live.value.value.health.sinks} />}
      </div>
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

const Sinks = ({ sinks }: { sinks: readonly SinkHealth[] }) =>
  sinks.length === 0 ? null : (
    <ul class="sinks" aria-label="Stores">
      {sinks.map(({ sink, state, backlog, delivered, last_success, last_error }) => (
        <li key={sink}>
          <strong>{sink}</strong> <Pill tone={state === "ok" ? "good" : "bad"}>{state}</Pill>
          <span>{count(delivered)} delivered</span>
          <span>{count(backlog)} waiting</span>
          <span>
            last success <Ago iso={last_success} />
          </span>
          {state === "failing" && last_error !== null && (
            <span class="error-text">{last_error.message}</span>
          )}
        </li>
      ))}
    </ul>
  );

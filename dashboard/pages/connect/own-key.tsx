/** The key of this browser: what it may do, how much it used, and what is left. */
import type { ComponentChildren } from "preact";
import type { Key, KeyUsage } from "../../../protocol/api/keys.ts";
import { hasScope } from "../../data/self.ts";
import { Ago, Moment, Section } from "../../parts/basics.tsx";
import { type Fact, FactList } from "../../parts/fact-list.tsx";
import { LimitMeters } from "../../parts/limit-meters.tsx";
import { compact, count, energy, money } from "../../shape/format.ts";
import { limitTexts, restrictionTexts, rightsText } from "../../shape/key-text.ts";
import { rowsOfKey } from "../../shape/limits-left.ts";

type Props = { own: Key; models: readonly string[] };

export function OwnKeySection({ own, models }: Props) {
  const limits = limitTexts(own.limits);
  const rows = rowsOfKey(own);
  const facts: Fact[] = [
    ["Rights", rightsText(own)],
    ["Boxes", own.boxes?.join(", ") ?? "All"],
    ["Limits", limits.length === 0 ? "None" : limits.join(", ")],
    ["Its calls", restrictionTexts(own).join(", ") || "Not restricted"],
    ["Expires", own.expires_at === null ? "Never" : <Moment iso={own.expires_at} />],
  ];
  return (
    <Section title={`Your key: ${own.name}`}>
      <div class="card">
        <Usage of={own.usage} label="Usage of this key" />
        {rows.length > 0 && (
          <div class="own-limits">
            <LimitMeters rows={rows} withResets />
          </div>
        )}
        <FactList facts={facts}>
          {own.scopes.includes("infer") && <OwnModels models={models} />}
        </FactList>
      </div>
    </Section>
  );
}

/** The usage of a person, whose calls count under their name. */
export const OwnUsageSection = ({
  usage,
  models,
}: {
  usage: KeyUsage;
  models: readonly string[];
}) => (
  <Section title="Your usage">
    <div class="card">
      <Usage of={usage} label="Your usage" />
      <FactList facts={[]}>{hasScope("infer") && <OwnModels models={models} />}</FactList>
    </div>
  </Section>
);

function Usage({ of: usage, label }: { of: KeyUsage; label: string }) {
  const figures: (readonly [string, ComponentChildren, ComponentChildren?])[] = [
    ["Requests", compact(usage.requests), usage.errors > 0 && `${count(usage.errors)} failed`],
    ["Prompt tokens", compact(usage.prompt_tokens)],
    ["Generated tokens", compact(usage.completion_tokens)],
    ["Energy", energy(usage.energy_j)],
    ...(usage.cost === null || usage.cost_currency === null
      ? []
      : [["Cost", money(usage.cost, usage.cost_currency)] as const]),
    ["Last used", usage.last_used_at === null ? "Never" : <Ago iso={usage.last_used_at} />],
  ];
  return (
    <dl class="own-usage" aria-label={label}>
      {figures.map(([name, value, below]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <span>{value}</span>
            {below && <span class="below">{below}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

const OwnModels = ({ models }: Pick<Props, "models">) => (
  <div class="whole-line">
    <dt>Models</dt>
    <dd>
      <Models models={models} />
    </dd>
  </div>
);

const Models = ({ models }: Pick<Props, "models">) =>
  models.length === 0 ? (
    <>No box has a model that you may call now.</>
  ) : (
    <ul class="chips">
      {models.map((name) => (
        <li key={name} class="chip">
          {name}
        </li>
      ))}
    </ul>
  );

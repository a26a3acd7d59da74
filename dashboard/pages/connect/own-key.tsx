/** The key of this browser: what it may do, how much it used, and what is left. */
import type { ComponentChildren } from "preact";
import type { Key } from "../../../protocol/api/keys.ts";
import { Ago, Moment, Section } from "../../parts/basics.tsx";
import { compact, count, energy, money } from "../../shape/format.ts";
import { limitTexts, restrictionTexts, rightsText } from "../../shape/key-text.ts";

type Props = { own: Key; models: readonly string[] };

export function OwnKeySection({ own, models }: Props) {
  const { usage } = own;
  const limits = limitTexts(own.limits);
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
  const facts: (readonly [string, ComponentChildren])[] = [
    ["Rights", rightsText(own)],
    ["Boxes", own.boxes?.join(", ") ?? "All"],
    ["Limits", limits.length === 0 ? "None" : limits.join(", ")],
    ["Its calls", restrictionTexts(own).join(", ") || "Not restricted"],
    ["Expires", own.expires_at === null ? "Never" : <Moment iso={own.expires_at} />],
  ];
  return (
    <Section title={`Your key: ${own.name}`}>
      <div class="card">
        <dl class="own-usage" aria-label="Usage of this key">
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
        <dl class="facts">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
          {own.scopes.includes("infer") && (
            <div class="whole-line">
              <dt>Models</dt>
              <dd>
                <Models models={models} />
              </dd>
            </div>
          )}
        </dl>
      </div>
    </Section>
  );
}

const Models = ({ models }: Pick<Props, "models">) =>
  models.length === 0 ? (
    <>No box has a model for this key now.</>
  ) : (
    <ul class="chips">
      {models.map((name) => (
        <li key={name} class="chip">
          {name}
        </li>
      ))}
    </ul>
  );

/** A table of keys; on a phone each key is a card. */
import type { Key } from "../../../protocol/api/keys.ts";
import { Ago, Moment, Pill, TableScroll } from "../../parts/basics.tsx";
import { LimitMeters } from "../../parts/limit-meters.tsx";
import { ActionsHead, RowAction } from "../../parts/row-actions.tsx";
import { Heads } from "../../parts/table-heads.tsx";
import { compact, energy, money } from "../../shape/format.ts";
import {
  isEnding,
  isOver,
  limitTexts,
  restrictionTexts,
  rightsText,
} from "../../shape/key-text.ts";
import { rowsOfKey } from "../../shape/limits-left.ts";
import { hashOf } from "../../shape/route.ts";

type Act = (key: Key) => void;
type Props = { label: string; keys: readonly Key[]; edit?: Act; rotate?: Act; end?: Act };

export const KeysTable = ({ label, keys, ...acts }: Props) => (
  <TableScroll label={label}>
    <table class="keys">
      <thead>
        <tr>
          <Heads names={["Name", "May", "Limits", "Usage", "Last used", "Expires"]} />
          {acts.edit && <ActionsHead />}
        </tr>
      </thead>
      <tbody>
        {keys.map((key) => (
          <Row key={key.id} shown={key} {...acts} />
        ))}
      </tbody>
    </table>
  </TableScroll>
);

type RowProps = Omit<Props, "label" | "keys"> & { shown: Key };

function Row({ shown: key, edit, rotate, end }: RowProps) {
  const { usage } = key;
  const isValid = key.state === "valid";
  return (
    <tr class={isValid ? "" : "ended"}>
      <th scope="row">
        <a href={hashOf("requests", { key: key.id })} title="Requests with this key">
          {key.name}
        </a>
        <State of={key} />
      </th>
      <td class="wrap">
        {rightsText(key)}
        <span class="below">{reachText(key)}</span>
      </td>
      <td class="wrap" data-name="Limits">
        <Limits of={key} />
      </td>
      <td class="wrap spent" data-name="Usage">
        {usageText(key)}
        <span class="below">{spentText(key)}</span>
      </td>
      <td data-name="Last used">
        {usage.last_used_at === null ? "Never" : <Ago iso={usage.last_used_at} />}
      </td>
      <td data-name="Expires">
        {key.expires_at === null ? "Never" : <Moment iso={key.expires_at} />}
      </td>
      {edit && (
        <td class="acts">
          <div class="row-actions">
            {isValid && <RowAction name="Edit" subject={key.name} act={() => edit(key)} />}
            {isValid && !isEnding(key) && rotate && (
              <RowAction name="Rotate" subject={key.name} act={() => rotate(key)} />
            )}
            {end && (
              <RowAction
                name={isOver(key) ? "Delete" : "Revoke"}
                subject={key.name}
                act={() => end(key)}
                isDangerous
              />
            )}
          </div>
        </td>
      )}
    </tr>
  );
}

/** A key that works needs no mark. */
function State({ of: key }: { of: Key }) {
  if (key.state !== "valid")
    return (
      <span class="below">
        <Pill tone="quiet">{key.state}</Pill>
        {key.state === "replaced" && (
          <>
            {" "}
            ended <Moment iso={key.revoked_at} />
          </>
        )}
      </span>
    );
  if (!isEnding(key)) return null;
  return (
    <span class="below">
      <Pill tone="warn">replaced</Pill> works until <Moment iso={key.revoked_at} />
    </span>
  );
}

function usageText({ usage }: Key): string {
  const requests = usage.requests === 1 ? "1 request" : `${compact(usage.requests)} requests`;
  return usage.errors === 0 ? requests : `${requests}, ${compact(usage.errors)} failed`;
}

function spentText({ usage }: Key): string {
  const { cost, cost_currency, energy_j } = usage;
  return [
    `${compact(usage.prompt_tokens + usage.completion_tokens)} tokens`,
    ...(energy_j === null ? [] : [energy(energy_j)]),
    ...(cost === null || cost_currency === null ? [] : [money(cost, cost_currency)]),
  ].join(" · ");
}

const reachText = ({ models, boxes }: Key): string =>
  [
    models === null ? "all models" : models.join(", "),
    boxes === null ? "all boxes" : `on ${boxes.join(", ")}`,
  ].join(" · ");

function Limits({ of: key }: { of: Key }) {
  const limits = limitTexts(key.limits);
  const restrictions = restrictionTexts(key);
  const rows = rowsOfKey(key);
  return (
    <>
      {rows.length > 0 && <LimitMeters rows={rows} withResets={false} />}
      {rows.length === 0 && limits.join(", ")}
      {limits.length === 0 && restrictions.length === 0 && UNLIMITED}
      {restrictions.length > 0 && <span class="below">{restrictions.join(", ")}</span>}
    </>
  );
}

const UNLIMITED = <span class="quiet">None</span>;

/** The thresholds of concerns: the built-in ones, and rules of the owner for all, a box or a model. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { THRESHOLD_FIGURES } from "../../../protocol/threshold-figures.ts";
import type { ThresholdRule } from "../../../protocol/thresholds.ts";
import { callJson } from "../../data/api.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Section, TableScroll } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { ActionsHead, RowAction } from "../../parts/row-actions.tsx";
import { Heads, NumberHeads } from "../../parts/table-heads.tsx";
import {
  builtInLeft,
  draftOf,
  limitText,
  placeText,
  type ThresholdDraft,
  withoutRule,
} from "../../shape/threshold-form.ts";
import { ThresholdDialog } from "./threshold-dialog.tsx";

type Opened =
  | { kind: "form"; draft: ThresholdDraft; from: ThresholdRule | null }
  | { kind: "remove"; rule: ThresholdRule };

const NEW: ThresholdDraft = {
  code: "model_latency_high",
  box: "",
  model: "",
  warning: "",
  critical: "",
};

export function ThresholdSection() {
  const { data, error, refetch } = useQuery("/api/thresholds", {}, null);
  const [opened, setOpened] = useState<Opened | null>(null);
  const rules = data?.rules ?? [];
  const put = async (changed: ThresholdRule[]) => {
    await callJson("PUT", "/api/thresholds", { body: { rules: changed } });
    refetch();
  };
  const close = () => setOpened(null);
  const edit = (draft: ThresholdDraft, from: ThresholdRule | null) =>
    setOpened({ kind: "form", draft, from });
  return (
    <Section
      title="Thresholds"
      aside={
        <button type="button" disabled={data === null} onClick={() => edit(NEW, null)}>
          Add a threshold
        </button>
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the thresholds." detail={error} retry={refetch} />
      )}
      {data !== null && (
        <TableScroll label="Thresholds of concerns">
          <table class="thresholds rows-as-cards">
            <thead>
              <tr>
                <Heads names={["Value", "For"]} />
                <NumberHeads names={["Warning above", "Critical above"]} />
                <ActionsHead />
              </tr>
            </thead>
            <tbody>
              {rules.map((rule) => {
                const subject = `${THRESHOLD_FIGURES[rule.code].name}, ${placeText(rule)}`;
                return (
                  <Row key={subject} rule={rule} place={placeText(rule)}>
                    <RowAction
                      name="Change"
                      subject={subject}
                      act={() => edit(draftOf(rule), rule)}
                    />
                    <RowAction
                      name="Remove"
                      subject={subject}
                      isDangerous
                      act={() => setOpened({ kind: "remove", rule })}
                    />
                  </Row>
                );
              })}
              {builtInLeft(data).map((each) => (
                <Row key={each.code} rule={each} place="All, built in">
                  <RowAction
                    name="Change"
                    subject={`${THRESHOLD_FIGURES[each.code].name}, all`}
                    act={() => edit(draftOf(each), null)}
                  />
                </Row>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
      {opened?.kind === "form" && (
        <ThresholdDialog {...opened} rules={rules} put={put} onClose={close} />
      )}
      {opened?.kind === "remove" && (
        <Confirm
          title="Remove the threshold"
          text={`${THRESHOLD_FIGURES[opened.rule.code].name}, ${placeText(opened.rule)}: the next wider threshold holds again.`}
          action="Remove"
          isDangerous
          onConfirm={() => put(withoutRule(rules, opened.rule))}
          onClose={close}
        />
      )}
    </Section>
  );
}

type RowProps = {
  rule: Pick<ThresholdRule, "code" | "warning" | "critical">;
  place: string;
  children: ComponentChildren;
};

function Row({ rule: { code, warning, critical }, place, children }: RowProps) {
  const isOff = warning === null && critical === null;
  return (
    <tr>
      <th scope="row">{THRESHOLD_FIGURES[code].name}</th>
      <td data-label="For">{place}</td>
      <td class="number" data-label="Warning">
        {isOff ? "off" : limitText(warning, code)}
      </td>
      <td class="number" data-label="Critical">
        {isOff ? "off" : limitText(critical, code)}
      </td>
      <td>
        <span class="row-actions">{children}</span>
      </td>
    </tr>
  );
}

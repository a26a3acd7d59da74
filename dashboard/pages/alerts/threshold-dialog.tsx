/** The form of one threshold: of what, for which box or model, and the values. */
import { useState } from "preact/hooks";
import { THRESHOLD_FIGURES, type ThresholdCode } from "../../../protocol/threshold-figures.ts";
import type { ThresholdRule } from "../../../protocol/thresholds.ts";
import { live } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { ErrorText, FormActions, Modal, useSending } from "../../parts/dialog.tsx";
import { untagged } from "../../shape/models.ts";
import {
  faultOf,
  ruleOf,
  type ThresholdDraft,
  typedUnit,
  withRule,
} from "../../shape/threshold-form.ts";

const MODELS = "threshold-models";

type Props = {
  draft: ThresholdDraft;
  /** The rule that is changed; null for another one. */
  from: ThresholdRule | null;
  rules: readonly ThresholdRule[];
  put: (rules: ThresholdRule[]) => Promise<void>;
  onClose: () => void;
};

export function ThresholdDialog({ draft: first, from, rules, put, onClose }: Props) {
  const [draft, setDraft] = useState(first);
  const [fault, setFault] = useState<string | null>(null);
  const { isBusy, error, send } = useSending();
  const installed = useQuery("/api/ollama/models", {}, null);
  const models = new Set(installed.data?.models.map(({ name }) => untagged(name)));
  const boxes = live.value?.value.boxes ?? [];
  const { place } = THRESHOLD_FIGURES[draft.code];
  const set = (changes: Partial<ThresholdDraft>) => {
    setDraft({ ...draft, ...changes });
    setFault(null);
  };
  return (
    <Modal
      title={from === null ? "Add a threshold" : "Change the threshold"}
      text="A threshold for a model comes before one for its box, and both before one for all. Without a value, nothing is raised."
      onClose={onClose}
    >
      {(close) => (
        <form
          noValidate
          onSubmit={async (event) => {
            event.preventDefault();
            const rule = ruleOf(draft);
            const found = faultOf(rule);
            setFault(found);
            if (found === null && (await send(() => put(withRule(rules, rule, from))))) close();
          }}
        >
          <label class="field">
            <span>Value</span>
            <select
              value={draft.code}
              onChange={({ currentTarget }) =>
                set({ code: currentTarget.value as ThresholdCode, warning: "", critical: "" })
              }
            >
              {Object.entries(THRESHOLD_FIGURES).map(([code, { name }]) => (
                <option key={code} value={code}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          {place !== "everywhere" && (
            <label class="field">
              <span>Box</span>
              <select
                value={draft.box}
                onChange={({ currentTarget }) => set({ box: currentTarget.value })}
              >
                <option value="">All boxes</option>
                {boxes.map(({ name }) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          )}
          {place === "model" && (
            <label class="field">
              <span>Model</span>
              <input
                list={MODELS}
                placeholder="All models"
                autocomplete="off"
                spellcheck={false}
                value={draft.model}
                onInput={({ currentTarget }) => set({ model: currentTarget.value })}
              />
              <datalist id={MODELS}>
                {Array.from(models, (name) => (
                  <option key={name} value={name} />
                ))}
              </datalist>
            </label>
          )}
          {(["warning", "critical"] as const).map((name) => (
            <label key={name} class="field">
              <span>
                {name === "warning" ? "Warning" : "Critical"} above, in {typedUnit(draft.code)}
              </span>
              <input
                inputMode="decimal"
                placeholder="Never"
                autocomplete="off"
                value={draft[name]}
                onInput={({ currentTarget }) => set({ [name]: currentTarget.value })}
              />
            </label>
          ))}
          <ErrorText error={fault ?? error} />
          <FormActions
            close={close}
            action={from === null ? "Add" : "Change"}
            busyText="Saving…"
            isBusy={isBusy}
          />
        </form>
      )}
    </Modal>
  );
}

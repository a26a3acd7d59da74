/** The fields of a key that limit how much it may use, and what its calls may do to others. */
import { COUNTED, type KeyForm, LIMITED_PERIODS, PRIORITIES } from "../../shape/key-form.ts";
import type { FieldsProps } from "./key-fields.tsx";

const COUNTED_NAMES: Record<(typeof COUNTED)[number], string> = {
  requests: "Requests",
  tokens: "Tokens",
  wh: "Energy (Wh)",
  money: "Money",
};

export function LimitFields({ form, set, isOpen }: FieldsProps & { isOpen: boolean }) {
  return (
    <>
      <details class="more-fields" open={isOpen}>
        <summary>Limits</summary>
        <p class="quiet">Empty fields are not limited. Days and months are those of UTC.</p>
        <Amount
          label="Calls at once"
          value={form.parallel}
          set={(parallel) => set({ parallel })}
          isShown
        />
        <div class="periods">
          <span aria-hidden="true" />
          {LIMITED_PERIODS.map((period) => (
            <span key={period} class="quiet" aria-hidden="true">
              per {period}
            </span>
          ))}
          {COUNTED.map((counted) => (
            <Counts key={counted} counted={counted} form={form} set={set} />
          ))}
        </div>
      </details>
      <details class="more-fields">
        <summary>Restrictions of its calls</summary>
        <PriorityField form={form} set={set} />
        <Amount
          label="Largest context (num_ctx)"
          value={form.maxNumCtx}
          set={(maxNumCtx) => set({ maxNumCtx })}
          isShown
        />
        <Amount
          label="Longest answer in tokens"
          value={form.maxNumPredict}
          set={(maxNumPredict) => set({ maxNumPredict })}
          isShown
        />
        <Check
          name="May set keep_alive"
          text="Without it, it cannot unload a model"
          isOn={form.mayKeepAlive}
          set={(mayKeepAlive) => set({ mayKeepAlive })}
        />
        <Check
          name="May set num_gpu"
          text="How many layers run on the GPU"
          isOn={form.mayNumGpu}
          set={(mayNumGpu) => set({ mayNumGpu })}
        />
        <Check
          name="Keep prompts and answers"
          text="If the edge keeps them"
          isOn={form.keepText}
          set={(keepText) => set({ keepText })}
        />
        <label class="field">
          <span>Web pages that may use it</span>
          <input
            autocomplete="off"
            spellcheck={false}
            placeholder="CORS_ORIGINS. Or only: https://chat.example.com"
            value={form.origins}
            onInput={(event) => set({ origins: event.currentTarget.value })}
          />
        </label>
      </details>
    </>
  );
}

const PriorityField = ({ form, set }: FieldsProps) => (
  <label class="amount">
    <span>Turns where calls wait</span>
    <select
      value={form.priority}
      onChange={(event) =>
        set({ priority: PRIORITIES[event.currentTarget.selectedIndex]?.priority ?? "normal" })
      }
    >
      {PRIORITIES.map(({ priority, name }) => (
        <option key={priority} value={priority}>
          {name}
        </option>
      ))}
    </select>
  </label>
);

function Counts({ counted, form, set }: FieldsProps & { counted: (typeof COUNTED)[number] }) {
  const name = COUNTED_NAMES[counted];
  const amounts = form.counts[counted];
  const change = (period: (typeof LIMITED_PERIODS)[number], value: string): Partial<KeyForm> => ({
    counts: { ...form.counts, [counted]: { ...amounts, [period]: value } },
  });
  return (
    <>
      <span aria-hidden="true">{name}</span>
      {LIMITED_PERIODS.map((period) => (
        <Amount
          key={period}
          label={`${name} per ${period}`}
          value={amounts[period]}
          set={(value) => set(change(period, value))}
        />
      ))}
    </>
  );
}

type AmountProps = {
  label: string;
  value: string;
  set: (value: string) => void;
  isShown?: boolean;
};

/** The edge checks the amount, so that its message is the one that is shown. */
const Amount = ({ label, value, set, isShown = false }: AmountProps) => (
  <label class={isShown ? "amount" : undefined}>
    <span class={isShown ? undefined : "sr-only"}>{label}</span>
    <input
      type="number"
      inputmode="decimal"
      step="any"
      placeholder="Any"
      value={value}
      onInput={(event) => set(event.currentTarget.value)}
    />
  </label>
);

type CheckProps = { name: string; text: string; isOn: boolean; set: (isOn: boolean) => void };

const Check = ({ name, text, isOn, set }: CheckProps) => (
  <label class="check">
    <input type="checkbox" checked={isOn} onChange={() => set(!isOn)} />
    <span>
      {name}
      <span class="below">{text}</span>
    </span>
  </label>
);

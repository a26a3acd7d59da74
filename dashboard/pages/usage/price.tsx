/** A price per million tokens to compare with, such as that of a provider. Kept in this browser. */
import { preferences, setPreferences } from "../../data/preferences.ts";
import type { ComparedPrice } from "../../shape/compared-price.ts";

type Props = { currency: string | null; price: ComparedPrice | null };

export function PriceFields({ currency, price }: Props) {
  if (currency === null) return null;
  const set = (change: Partial<ComparedPrice>) =>
    setPreferences({ comparedPrice: { ...(price ?? { input: 0, output: 0 }), ...change } });
  return (
    <fieldset class="usage-price">
      <legend>Compare with a price per 1M tokens</legend>
      <PriceInput label="In" value={price?.input ?? null} set={(input) => set({ input })} />
      <PriceInput label="Out" value={price?.output ?? null} set={(output) => set({ output })} />
      <span class="quiet">{currency}</span>
      {preferences.value.comparedPrice !== null && (
        <button type="button" class="small" onClick={() => setPreferences({ comparedPrice: null })}>
          Forget it
        </button>
      )}
    </fieldset>
  );
}

type InputProps = { label: string; value: number | null; set: (value: number) => void };

const PriceInput = ({ label, value, set }: InputProps) => (
  <label>
    <span class="quiet">{label}</span>
    <input
      type="number"
      min="0"
      step="any"
      inputMode="decimal"
      value={value ?? ""}
      onChange={({ currentTarget }) => {
        const typed = currentTarget.valueAsNumber;
        if (typed >= 0) set(typed);
      }}
    />
  </label>
);

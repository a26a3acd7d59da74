/** The tariff: what power costs, by box and hour of day. */
import { useEffect, useState } from "preact/hooks";
import { CURRENCY_CODES } from "../../../protocol/currencies.ts";
import { callJson, errorMessage } from "../../data/api.ts";
import { live } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Moment, Section, Skeleton } from "../../parts/basics.tsx";
import { TimeZones } from "../../parts/hours.tsx";
import {
  formOf,
  newRate,
  type RateForm,
  type TariffForm,
  tariffBody,
} from "../../shape/tariff-form.ts";
import { AmountInput, RateFields } from "./tariff-rate.tsx";

const viewerZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
export function TariffSettings({ isAdmin }: { isAdmin: boolean }) {
  const { data, error, refetch } = useQuery("/api/tariff", {}, null);
  const [form, setForm] = useState<TariffForm | null>(null);
  const [outcome, setOutcome] = useState<{ text: string; isError: boolean } | null>(null);
  useEffect(() => {
    if (data !== null) setForm(formOf(data.tariff, viewerZone()));
  }, [data]);

  const change = async (method: "PUT" | "DELETE", done: string) => {
    if (form === null) return;
    setOutcome(null);
    try {
      if (method === "PUT") await callJson("PUT", "/api/tariff", { body: tariffBody(form) });
      else await callJson("DELETE", "/api/tariff");
      setOutcome({ text: done, isError: false });
      refetch();
    } catch (caught) {
      setOutcome({ text: errorMessage(caught), isError: true });
    }
  };

  return (
    <Section title="Power price">
      {error !== null && (
        <FailureNote title="Could not load the tariff." detail={error} retry={refetch} />
      )}
      {form === null || data === null ? (
        error === null && <Skeleton lines={4} />
      ) : (
        <form
          class="card tariff"
          onSubmit={(event) => {
            event.preventDefault();
            change("PUT", "Saved. It applies from now on.");
          }}
        >
          <Fields form={form} set={setForm} isAdmin={isAdmin} />
          {!isAdmin && <p class="quiet">Changing the price needs a key with the admin scope.</p>}
          {outcome !== null && (
            <p
              class={outcome.isError ? "error-text" : "quiet"}
              role={outcome.isError ? "alert" : "status"}
            >
              {outcome.text}
            </p>
          )}
          {isAdmin && (
            <div class="actions">
              <button type="submit" class="primary">
                Save price
              </button>
              {data.tariff !== null && (
                <button type="button" onClick={() => change("DELETE", "Removed.")}>
                  Remove price
                </button>
              )}
            </div>
          )}
          <p class="footnote">
            Costs that are already recorded stay as they are.
            {data.changed_at !== null && (
              <>
                {" "}
                Last changed <Moment iso={data.changed_at} />.
              </>
            )}
          </p>
        </form>
      )}
    </Section>
  );
}

type FieldsProps = { form: TariffForm; set: (form: TariffForm) => void; isAdmin: boolean };

function Fields({ form, set, isAdmin }: FieldsProps) {
  const { currency, rates, inputPrice, outputPrice } = form;
  const boxes = live.value?.value.boxes.map(({ name }) => name) ?? [];
  const withoutRate = boxes.filter((name) => rates.every(({ box }) => box !== name));
  const setRate = (index: number, rate: RateForm) =>
    set({ ...form, rates: rates.with(index, rate) });
  return (
    <fieldset class="bare" disabled={!isAdmin}>
      <legend class="sr-only">Power price</legend>
      <div class="setting">
        <label class="setting-name" for="tariff-currency">
          Currency
        </label>
        <select
          id="tariff-currency"
          value={currency}
          onChange={(event) => set({ ...form, currency: event.currentTarget.value })}
        >
          {CURRENCY_CODES.map((code) => (
            <option key={code} value={code}>
              {code}
            </option>
          ))}
        </select>
      </div>
      {rates.map((rate, index) => (
        <RateFields
          key={rate.box}
          rate={rate}
          isOnly={rates.length === 1}
          set={(changed) => setRate(index, changed)}
          remove={() => set({ ...form, rates: rates.toSpliced(index, 1) })}
        />
      ))}
      {isAdmin && withoutRate.length > 0 && (
        <div class="setting">
          <label class="setting-name" for="tariff-box">
            Another price for a box
          </label>
          <select
            id="tariff-box"
            value=""
            onChange={(event) => {
              const zone = rates[0]?.timeZone ?? viewerZone();
              set({ ...form, rates: [...rates, newRate(event.currentTarget.value, zone)] });
            }}
          >
            <option value="">Choose a box</option>
            {withoutRate.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
      )}
      <div class="setting">
        <span class="setting-name">Compare with, per 1M tokens</span>
        <span class="setting-value compared">
          <span aria-hidden="true">In</span>
          <AmountInput
            label="Price to compare with, per million tokens of prompts"
            placeholder="None"
            value={inputPrice}
            isRequired={outputPrice !== ""}
            set={(value) => set({ ...form, inputPrice: value })}
          />
          <span aria-hidden="true">Out</span>
          <AmountInput
            label="Price to compare with, per million generated tokens"
            placeholder="None"
            value={outputPrice}
            isRequired={inputPrice !== ""}
            set={(value) => set({ ...form, outputPrice: value })}
          />
        </span>
      </div>
      <TimeZones />
    </fieldset>
  );
}

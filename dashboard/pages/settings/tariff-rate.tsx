/** The fields of one rate of the tariff: prices by hour, their time zone, and the CO2. */
import { Hour, ZONES } from "../../parts/hours.tsx";
import { type HoursForm, type RateForm, withMoreHours } from "../../shape/tariff-form.ts";

type RateProps = {
  rate: RateForm;
  isOnly: boolean;
  set: (rate: RateForm) => void;
  remove: () => void;
};

export function RateFields({ rate, isOnly, set, remove }: RateProps) {
  const { box, timeZone, hours, co2 } = rate;
  const of = box === null ? "" : ` of ${box}`;
  return (
    <fieldset class="rate">
      <legend>
        {box ?? (isOnly ? "All boxes" : "All other boxes")}
        {box !== null && (
          <button type="button" class="small" onClick={remove}>
            Remove<span class="sr-only"> the price of {box}</span>
          </button>
        )}
      </legend>
      <div class="setting">
        <span class="setting-name">Price per kWh</span>
        <div class="hours">
          {hours.map((entry, index) => (
            <Hours
              key={index}
              entry={entry}
              name={hours.length === 1 ? `Price per kWh${of}` : `Price ${index + 1} per kWh${of}`}
              isOnly={hours.length === 1}
              set={(changed) => set({ ...rate, hours: hours.with(index, changed) })}
              remove={() => set({ ...rate, hours: withoutHours(hours, index) })}
            />
          ))}
          <button type="button" class="small" onClick={() => set(withMoreHours(rate))}>
            Add hours<span class="sr-only">{of}</span>
          </button>
        </div>
      </div>
      <div class="setting">
        <span class="setting-name">Time zone of the hours</span>
        <input
          class="zone"
          aria-label={`Time zone${of}`}
          list={ZONES}
          required
          value={timeZone}
          onInput={(event) => set({ ...rate, timeZone: event.currentTarget.value })}
        />
      </div>
      <div class="setting">
        <span class="setting-name">CO₂ per kWh, in grams</span>
        <AmountInput
          label={`Grams of CO₂ per kWh${of}`}
          placeholder="Unknown"
          value={co2}
          set={(value) => set({ ...rate, co2: value })}
        />
      </div>
    </fieldset>
  );
}

/** Removes an entry. The last one left covers the day. */
function withoutHours(hours: readonly HoursForm[], index: number): HoursForm[] {
  const rest = hours.toSpliced(index, 1);
  const [only] = rest;
  return rest.length === 1 && only !== undefined ? [{ ...only, from: "0", to: "24" }] : rest;
}

type HoursProps = {
  entry: HoursForm;
  name: string;
  isOnly: boolean;
  set: (entry: HoursForm) => void;
  remove: () => void;
};

function Hours({ entry, name, isOnly, set, remove }: HoursProps) {
  const { from, to, price } = entry;
  return (
    <div class="setting-value">
      {!isOnly && (
        <>
          <Hour
            label={`${name}: from`}
            first={0}
            value={from}
            set={(hour) => set({ ...entry, from: hour })}
          />
          <span aria-hidden="true">–</span>
          <Hour
            label={`${name}: to`}
            first={1}
            value={to}
            set={(hour) => set({ ...entry, to: hour })}
          />
        </>
      )}
      <AmountInput
        label={name}
        placeholder={isOnly ? "Unknown" : "Price"}
        isRequired={!isOnly}
        value={price}
        set={(value) => set({ ...entry, price: value })}
      />
      {!isOnly && (
        <button type="button" class="small" onClick={remove}>
          Remove<span class="sr-only"> {name}</span>
        </button>
      )}
    </div>
  );
}

type AmountProps = {
  label: string;
  placeholder: string;
  value: string;
  isRequired?: boolean;
  set: (value: string) => void;
};

export const AmountInput = ({
  label,
  placeholder,
  value,
  isRequired = false,
  set,
}: AmountProps) => (
  <input
    class="price"
    type="number"
    min="0"
    step="any"
    inputMode="decimal"
    aria-label={label}
    placeholder={placeholder}
    required={isRequired}
    value={value}
    onInput={(event) => set(event.currentTarget.value)}
  />
);

/** The form of the tariff: its fields as typed, from a tariff and back. Pure. */
import type * as z from "zod";
import type { Tariff } from "../../protocol/tariff.ts";

export type HoursForm = { from: string; to: string; price: string };
/** `box` is null for the rate of all boxes. */
export type RateForm = { box: string | null; timeZone: string; hours: HoursForm[]; co2: string };
export type TariffForm = {
  currency: string;
  rates: RateForm[];
  inputPrice: string;
  outputPrice: string;
};

/** The body of the call that sets the tariff. */
export type TariffBody = z.input<typeof Tariff>;

const ALL_DAY: HoursForm = { from: "0", to: "24", price: "" };

export const newRate = (box: string | null, timeZone: string): RateForm => ({
  box,
  timeZone,
  hours: [ALL_DAY],
  co2: "",
});

/** @param timeZone  used for a first tariff: that of the viewer */
export function formOf(tariff: Tariff | null, timeZone: string): TariffForm {
  if (tariff === null)
    return { currency: "EUR", rates: [newRate(null, timeZone)], inputPrice: "", outputPrice: "" };
  const rateForm = (box: string | null, rate: Tariff["default"]): RateForm => ({
    box,
    timeZone: rate.time_zone,
    hours: rate.prices?.map(({ from, to, price_per_kwh }) => ({
      from: String(from),
      to: String(to),
      price: String(price_per_kwh),
    })) ?? [ALL_DAY],
    co2: textOf(rate.co2_g_per_kwh),
  });
  return {
    currency: tariff.currency,
    rates: [
      rateForm(null, tariff.default),
      ...Object.entries(tariff.boxes).map(([box, rate]) => rateForm(box, rate)),
    ],
    inputPrice: textOf(tariff.compared_with?.input_per_million ?? null),
    outputPrice: textOf(tariff.compared_with?.output_per_million ?? null),
  };
}

/** Returns the body for a form. The edge checks it, and its message names what is wrong. */
export function tariffBody({ currency, rates, inputPrice, outputPrice }: TariffForm): TariffBody {
  const [common = newRate(null, "UTC"), ...others] = rates;
  const isCompared = inputPrice !== "" || outputPrice !== "";
  return {
    currency,
    default: rateBody(common),
    boxes: Object.fromEntries(others.map((rate) => [rate.box ?? "", rateBody(rate)])),
    compared_with: isCompared
      ? { input_per_million: Number(inputPrice), output_per_million: Number(outputPrice) }
      : null,
  };
}

function rateBody({ timeZone, hours, co2 }: RateForm): TariffBody["default"] {
  // A day without any price is a price that is unknown.
  const isUnknown = hours.every(({ price }) => price === "");
  return {
    time_zone: timeZone,
    prices: isUnknown
      ? null
      : hours.map(({ from, to, price }) => ({
          from: Number(from),
          to: Number(to),
          price_per_kwh: Number(price),
        })),
    co2_g_per_kwh: co2 === "" ? null : Number(co2),
  };
}

/**
 * Returns the form with one more entry of hours, which begins at noon or where the last one ends.
 */
export function withMoreHours(rate: RateForm): RateForm {
  const [only] = rate.hours;
  if (rate.hours.length === 1 && only !== undefined && Number(only.to) - Number(only.from) === 24)
    return {
      ...rate,
      hours: [
        { ...only, from: "6", to: "22" },
        { ...only, from: "22", to: "6", price: "" },
      ],
    };
  const end = Number(rate.hours.at(-1)?.to ?? "0") % 24;
  return {
    ...rate,
    hours: [...rate.hours, { from: String(end), to: String(end + 1), price: "" }],
  };
}

const textOf = (value: number | null): string => (value === null ? "" : String(value));

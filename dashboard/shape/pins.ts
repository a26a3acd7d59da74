/** The text of pins, and the form that changes one. Pure. */
import type { BoxPin, PinRequest } from "../../protocol/api/pins.ts";

/** Returns the hours of a pin, such as "8–18 h", with the zone if it is another one. */
export function hoursText(
  { hours, time_zone }: Pick<BoxPin, "hours" | "time_zone">,
  zone: string,
): string {
  if (hours === null) return "always";
  const text = `${hours.from}–${hours.to}\u202fh`;
  return time_zone === zone ? text : `${text} ${time_zone}`;
}

/** Returns what is to be known about a pin that is not as it should be; null if all is well. */
export function pinTrouble({ state, reason }: Pick<BoxPin, "state" | "reason">): string | null {
  if (state === "failed") return reason ?? "could not be loaded";
  return state === "waiting" ? (reason ?? "will be loaded soon") : null;
}

export type PinForm = {
  mode: "never" | "always" | "hours";
  from: string;
  to: string;
  timeZone: string;
  /** Empty for the default. */
  context: string;
};

/** @param zone  that of the browser, for a new pin */
export const pinForm = (pin: BoxPin | null, zone: string): PinForm => ({
  mode: pin === null ? "never" : pin.hours === null ? "always" : "hours",
  from: String(pin?.hours?.from ?? 8),
  to: String(pin?.hours?.to ?? 18),
  timeZone: pin?.time_zone ?? zone,
  context: pin?.context_length == null ? "" : String(pin.context_length),
});

/** Returns the body that makes the pin of a form; null if the form removes it. */
export const pinBody = (
  { mode, from, to, timeZone, context }: PinForm,
  model: string,
  box: string,
): PinRequest | null =>
  mode === "never"
    ? null
    : {
        model,
        box,
        context: context === "" ? null : Number(context),
        hours: mode === "always" ? null : { from: Number(from), to: Number(to) },
        time_zone: timeZone,
      };

/** Hours of the day, and their time zone. */

/** The list of time zones to choose from. */
export const ZONES = "time-zones";

export const TimeZones = () => (
  <datalist id={ZONES}>
    {Intl.supportedValuesOf("timeZone").map((zone) => (
      <option key={zone} value={zone} />
    ))}
  </datalist>
);

type HourProps = { label: string; first: number; value: string; set: (hour: string) => void };

export const Hour = ({ label, first, value, set }: HourProps) => (
  <select aria-label={label} value={value} onChange={(event) => set(event.currentTarget.value)}>
    {Array.from({ length: 24 }, (_, n) => String(n + first)).map((hour) => (
      <option key={hour} value={hour}>
        {hour.padStart(2, "0")}:00
      </option>
    ))}
  </select>
);

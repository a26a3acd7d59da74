/** The preferences of this browser. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { errorMessage } from "../../data/api.ts";
import {
  type Preferences,
  preferences,
  REFRESH_SECONDS,
  setPreferences,
} from "../../data/preferences.ts";
import { signOut } from "../../data/session.ts";
import { Choice, Section } from "../../parts/basics.tsx";
import { duration } from "../../shape/format.ts";

const Line = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <div class="setting">
    <span class="setting-name">{name}</span>
    <div class="setting-value">{children}</div>
  </div>
);

const optionsOf = <T extends string>(
  values: readonly T[],
  names: Record<NoInfer<T>, string>,
): { value: T; name: string }[] => values.map((value) => ({ value, name: names[value] }));

export function ThisBrowser({ isSignedIn }: { isSignedIn: boolean }) {
  const { refresh, theme, temperature, sizes } = preferences.value;
  const [failure, setFailure] = useState<string | null>(null);
  const leave = () =>
    signOut().catch((error: unknown) => setFailure(`Could not sign out. ${errorMessage(error)}`));
  return (
    <Section title="This browser">
      <div class="card">
        <Line name="Refresh">
          <select
            aria-label="Refresh interval"
            value={refresh}
            onChange={(event) => setPreferences({ refresh: Number(event.currentTarget.value) })}
          >
            {REFRESH_SECONDS.map((seconds) => (
              <option key={seconds} value={seconds}>
                Every {duration(seconds * 1_000)}
                {seconds === 5 ? " (default)" : ""}
              </option>
            ))}
            <option value={0}>Off</option>
          </select>
        </Line>
        <Line name="Theme">
          <Choice
            label="Theme"
            options={optionsOf(["system", "light", "dark"] as const, {
              system: "System",
              light: "Light",
              dark: "Dark",
            })}
            chosen={theme}
            choose={(chosen: Preferences["theme"]) => setPreferences({ theme: chosen })}
          />
        </Line>
        <Line name="Temperature">
          <Choice
            label="Temperature unit"
            options={optionsOf(["celsius", "fahrenheit"] as const, {
              celsius: "°C",
              fahrenheit: "°F",
            })}
            chosen={temperature}
            choose={(chosen: Preferences["temperature"]) => setPreferences({ temperature: chosen })}
          />
        </Line>
        <Line name="Sizes">
          <Choice
            label="Size unit"
            options={optionsOf(["binary", "decimal"] as const, { binary: "GiB", decimal: "GB" })}
            chosen={sizes}
            choose={(chosen: Preferences["sizes"]) => setPreferences({ sizes: chosen })}
          />
        </Line>
        {isSignedIn && (
          <Line name="Session">
            <button type="button" onClick={leave}>
              Sign out
            </button>
            {failure !== null && (
              <p class="error-text" role="alert">
                {failure}
              </p>
            )}
          </Line>
        )}
      </div>
    </Section>
  );
}

/** The button that switches between the system, dark and light themes. */
import { type Preferences, preferences, setPreferences } from "../data/preferences.ts";
import { MoonIcon, SunIcon, SystemThemeIcon } from "../parts/icons.tsx";

const NEXT = { system: "dark", dark: "light", light: "system" } as const satisfies Record<
  Preferences["theme"],
  Preferences["theme"]
>;
const ICONS = { system: SystemThemeIcon, dark: MoonIcon, light: SunIcon };

export const switchTheme = (): void => setPreferences({ theme: NEXT[preferences.peek().theme] });

export function ThemeSwitch() {
  const { theme } = preferences.value;
  const Icon = ICONS[theme];
  const name = `Theme: ${theme}. Switch to ${NEXT[theme]}`;
  return (
    <button type="button" class="plain" aria-label={name} title={name} onClick={switchTheme}>
      <Icon />
    </button>
  );
}

/** How fresh the page is, and the button that makes it so. */
import { nowMs } from "../data/clock.ts";
import { connection, live, refreshNow } from "../data/live.ts";
import { preferences } from "../data/preferences.ts";
import { RefreshIcon } from "../parts/icons.tsx";
import { age, duration } from "../shape/format.ts";
import { isStale } from "./banners.tsx";

export function Freshness() {
  const { kind } = connection.value;
  const latest = live.value;
  const every = duration(preferences.value.refresh * 1_000);
  const words: Record<typeof kind, string> = {
    connecting: "Connecting …",
    streaming: `Live, every ${every}`,
    polling: `Every ${every}`,
    hidden: "Paused",
    off: "Refresh is off",
    locked: "Locked",
    failing: "Offline",
  };
  const tone = isStale() || kind === "failing" ? "bad" : kind === "streaming" || kind === "polling" ? "good" : "quiet";
  return (
    <div class="freshness">
      <span class={`state ${tone}`}>
        <i class="beat" />
        <span role="status">{words[kind]}</span>
      </span>
      {latest !== null && kind !== "streaming" && <span class="freshness-age">{age(nowMs.value - latest.atMs)}</span>}
      <button type="button" class="plain" aria-label="Refresh now" title="Refresh now" onClick={refreshNow}>
        <RefreshIcon />
      </button>
    </div>
  );
}

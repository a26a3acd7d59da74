/** How fresh the page is, and the button that makes it so. */
import type { ComponentChildren } from "preact";
import { nowMs } from "../data/clock.ts";
import { connection, live, refreshNow } from "../data/live.ts";
import { preferences } from "../data/preferences.ts";
import { RefreshIcon } from "../parts/icons.tsx";
import { age, duration } from "../shape/format.ts";
import { isStale } from "./banners.tsx";

export function Freshness() {
  const state = connection.value;
  const { kind } = state;
  const latest = live.value;
  const every = duration(preferences.value.refresh * 1_000);
  const words: Record<typeof kind, ComponentChildren> = {
    connecting: "Connecting …",
    streaming: (
      <>
        Live<span class="freshness-every">, every {every}</span>
      </>
    ),
    polling: `Every ${every}`,
    hidden: "Paused",
    off: "Refresh is off",
    locked: "Locked",
    failing: state.kind === "failing" && state.isReached ? "Failing" : "Offline",
  };
  const tone =
    isStale() || kind === "failing"
      ? "bad"
      : kind === "streaming" || kind === "polling"
        ? "good"
        : "quiet";
  return (
    <div class="freshness">
      <span class={`state ${tone}`}>
        <i class="beat" />
        <span role="status">{words[kind]}</span>
      </span>
      {latest !== null && kind !== "streaming" && (
        <span class="freshness-age">{age(nowMs.value - latest.atMs)}</span>
      )}
      <button
        type="button"
        class="plain"
        aria-label="Refresh now"
        title="Refresh now"
        onClick={refreshNow}
      >
        <RefreshIcon />
      </button>
    </div>
  );
}

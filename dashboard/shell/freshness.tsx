/** The connection state and age of the data, with a button to refresh it. */
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
  const labels: Record<typeof kind, ComponentChildren> = {
    connecting: "Connecting…",
    streaming: (
      <>
        Live<span class="freshness-every">, every {every}</span>
      </>
    ),
    polling: (
      <>
        Polling<span class="freshness-every"> every {every}</span>
      </>
    ),
    hidden: "Paused",
    off: "Refresh off",
    locked: "Signed out",
    failing: state.kind === "failing" && state.isReached ? "Edge error" : "Offline",
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
        <span role="status">{labels[kind]}</span>
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

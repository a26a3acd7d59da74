/** Banners on every page: simulated data, stale data, a new version. */
import { signal } from "@preact/signals";
import type { LiveBox } from "../../protocol/api/live.ts";
import { nowMs } from "../data/clock.ts";
import { connection, live, refreshNow } from "../data/live.ts";
import { preferences } from "../data/preferences.ts";
import { elapsed } from "../shape/format.ts";

/**
 * The version that served this page. If the live data reports another one, the page is outdated.
 */
const versionAtStart = signal<string | null>(null);

/** Data is stale after this many missed intervals, plus a grace period for a slow edge. */
const LATE_INTERVALS = 3;
const GRACE_MS = 4_000;

/** Returns true if the data on the page is older than the refresh interval promises. */
export function isStale(): boolean {
  const { refresh } = preferences.value;
  const latest = live.value;
  if (latest === null || connection.value.kind === "locked") return false;
  if (connection.value.kind === "failing") return true;
  return (
    refresh > 0 &&
    connection.value.kind !== "hidden" &&
    nowMs.value - latest.atMs > LATE_INTERVALS * refresh * 1_000 + GRACE_MS
  );
}

/** Separates a simulated box from the real ones, whose answers and figures are true. */
function simulationText(boxes: readonly LiveBox[]): string {
  const simulated = boxes.filter((box) => box.simulated).map(({ name }) => name);
  if (simulated.length === boxes.length)
    return "No model is running. All answers and figures on this page are made up.";
  const [first, ...others] = simulated;
  // Short, because the banner stays above the content on a phone.
  return others.length === 0
    ? `${first} runs no model: its answers and figures are made up.`
    : `${simulated.length} boxes run no model: their answers and figures are made up.`;
}

export function Banners() {
  const latest = live.value;
  const state = connection.value;
  const version = latest?.value.health.version ?? null;
  if (versionAtStart.peek() === null) versionAtStart.value = version;
  const isOld =
    version !== null && versionAtStart.value !== null && version !== versionAtStart.value;
  return (
    <>
      {latest?.value.health.simulated && (
        <p class="banner simulated" role="note">
          <strong>Simulated</strong> {simulationText(latest.value.boxes)}
        </p>
      )}
      {isOld && (
        <p class="banner note" role="status">
          <strong>Version {version} is available</strong> This page was loaded from{" "}
          {versionAtStart.value}.{" "}
          <button type="button" class="small" onClick={() => location.reload()}>
            Reload
          </button>
        </p>
      )}
      {state.kind === "failing" && (
        <p class="banner bad" role="alert">
          <strong>{state.isReached ? "Edge error" : "Offline"}</strong> {state.reason}{" "}
          {latest === null
            ? "No data has been loaded yet."
            : `The data shown is ${elapsed(nowMs.value - latest.atMs)} old.`}{" "}
          Retrying for {elapsed(nowMs.value - state.sinceMs)}.{" "}
          <button type="button" class="small" onClick={refreshNow}>
            Retry now
          </button>
        </p>
      )}
    </>
  );
}

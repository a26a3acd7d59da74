/** What must not be missed, on every page: made-up numbers, old numbers, another version. */
import { signal } from "@preact/signals";
import { nowMs } from "../data/clock.ts";
import { connection, live, refreshNow } from "../data/live.ts";
import { preferences } from "../data/preferences.ts";
import { elapsed } from "../shape/format.ts";

/** What was on the page first: a stream that brings another version means that this page is of yesterday. */
const versionAtStart = signal<string | null>(null);

/** Data that is this many intervals late is old; the edge may take a moment by itself. */
const LATE_INTERVALS = 3;
const GRACE_MS = 4_000;

/** Whether what is shown is older than was promised. */
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
          <strong>Simulated</strong> No model runs here. Every answer and every number on this page
          is made up.
        </p>
      )}
      {isOld && (
        <p class="banner note" role="status">
          <strong>New version {version}</strong> This page is of {versionAtStart.value}.{" "}
          <button type="button" class="small" onClick={() => location.reload()}>
            Load it
          </button>
        </p>
      )}
      {state.kind === "failing" && (
        <p class="banner bad" role="alert">
          <strong>{state.isReached ? "The edge fails" : "Offline"}</strong> {state.why}{" "}
          {latest === null
            ? "Nothing was read yet."
            : `What you see is ${elapsed(nowMs.value - latest.atMs)} old.`}{" "}
          Tried again for {elapsed(nowMs.value - state.sinceMs)}.{" "}
          <button type="button" class="small" onClick={refreshNow}>
            Try now
          </button>
        </p>
      )}
    </>
  );
}

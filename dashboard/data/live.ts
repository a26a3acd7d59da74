/**
 * The live state of the edge, kept up to date.
 *
 * While the page is visible, it reads one event stream. It polls instead if a proxy blocks the
 * stream or the refresh interval is too long to justify one. A hidden page sends nothing.
 */
import { computed, effect, signal, untracked } from "@preact/signals";
import type { Live } from "../../protocol/api/live.ts";
import { ApiFailure, call, errorMessage, read } from "./api.ts";
import { isVisible } from "./clock.ts";
import { jsonEvents } from "./events.ts";
import { preferences } from "./preferences.ts";
import { hasScope, isOutOfScope, loadSelf } from "./self.ts";
import { lock, locked } from "./session.ts";

export type Connection =
  | { kind: "connecting" | "streaming" | "polling" | "hidden" | "off" | "locked" }
  | {
      kind: "failing";
      reason: string;
      sinceMs: number;
      /** True if the edge responded with an error, false if it did not respond. */
      isReached: boolean;
    };

export const live = signal<{ value: Live; atMs: number } | null>(null);
export const connection = signal<Connection>({ kind: "connecting" });
/** Increases with every update. Components refetch their own data when it changes. */
export const tick = signal(0);

/** Above this interval, an open stream costs more than polling. */
const STREAM_SECONDS_MAX = 30;
/**
 * Some proxies buffer a stream until it ends. If an event is this late, the page falls back to
 * polling.
 */
const STREAM_SILENCE_MS = 5_000;
/** Time after a failed stream during which the page polls before it tries a stream again. */
const POLLING_MS = 5 * 60_000;
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 15_000;

let pollsUntilMs = 0;
let current: AbortController | null = null;

/** False for a key that may not read what everybody's requests show. */
const isWanted = computed(() => isVisible.value && locked.value === null && hasScope("stats"));

/**
 * Starts the updates, and restarts them whenever visibility, the interval or the session changes.
 */
export function startLive(): void {
  // Beside the first update. A failure shows there.
  loadSelf().catch(() => {});
  effect(() => {
    const seconds = preferences.value.refresh;
    const isOn = isWanted.value;
    untracked(() => begin(isOn, seconds));
  });
}

/** Fetches an update now, then continues at the usual interval. */
export const refreshNow = (): void => begin(true, preferences.peek().refresh);

function begin(isOn: boolean, seconds: number): void {
  current?.abort();
  current = null;
  if (!isOn) {
    connection.value = { kind: locked.peek() === null ? "hidden" : "locked" };
    return;
  }
  const controller = new AbortController();
  current = controller;
  if (connection.peek().kind !== "failing") connection.value = { kind: "connecting" };
  void run(seconds, controller.signal);
}

async function run(seconds: number, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    const tickBefore = tick.peek();
    try {
      if (seconds > 0 && seconds <= STREAM_SECONDS_MAX && Date.now() > pollsUntilMs)
        await stream(seconds, signal);
      else {
        take(await read("/api/live", { signal }), seconds === 0 ? "off" : "polling");
        if (seconds === 0) return;
        await sleep(seconds * 1_000, signal);
      }
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiFailure && error.isLocked) {
        if (!(await isOutOfScope(error))) lock(error);
        return;
      }
      failures = tick.peek() === tickBefore ? failures + 1 : 1;
      connection.value = afterFailure(error, failures);
      await sleep(Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (failures - 1)), signal);
    }
  }
}

/**
 * Returns the connection state to show after a failure. The first failure raises no alarm if the
 * page already has data: deploying the Worker cuts every stream, and the next attempt succeeds.
 */
function afterFailure(error: unknown, failures: number): Connection {
  const before = connection.peek();
  if (failures === 1 && live.peek() !== null && before.kind !== "failing")
    return { kind: "connecting" };
  const sinceMs = before.kind === "failing" ? before.sinceMs : Date.now();
  return {
    kind: "failing",
    reason: errorMessage(error),
    sinceMs,
    isReached: error instanceof ApiFailure,
  };
}

/** Reads one stream. Returns when the edge closes it normally; the caller opens the next one. */
async function stream(seconds: number, signal: AbortSignal): Promise<void> {
  const silence = new AbortController();
  const wait = () => setTimeout(() => silence.abort(), seconds * 1_000 + STREAM_SILENCE_MS);
  let timer = wait();
  try {
    const response = await call("GET", "/api/live", {
      query: { every: seconds },
      headers: { accept: "text/event-stream" },
      signal: AbortSignal.any([signal, silence.signal]),
    });
    for await (const event of jsonEvents<Live>(response)) {
      clearTimeout(timer);
      timer = wait();
      take(event, "streaming");
    }
  } catch (error) {
    if (!silence.signal.aborted) throw error;
    pollsUntilMs = Date.now() + POLLING_MS;
  } finally {
    clearTimeout(timer);
  }
}

function take(value: Live, kind: "streaming" | "polling" | "off"): void {
  live.value = { value, atMs: Date.now() };
  connection.value = { kind };
  tick.value++;
}

const sleep = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
  });

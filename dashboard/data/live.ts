/**
 * What is now, kept fresh: one stream of events from the edge while the page is visible, polling
 * where a stream does not come through or is not worth it, nothing while it is hidden.
 */
import { effect, signal, untracked } from "@preact/signals";
import type { Live } from "../../protocol/api/live.ts";
import { ApiFailure, call, read, wordsOf } from "./api.ts";
import { isVisible } from "./clock.ts";
import { jsonEvents } from "./events.ts";
import { key, locked } from "./key.ts";
import { preferences } from "./preferences.ts";

export type Connection =
  | { kind: "connecting" | "streaming" | "polling" | "hidden" | "off" | "locked" }
  | {
      kind: "failing";
      why: string;
      sinceMs: number /** It did answer, with an error. */;
      isReached: boolean;
    };

export const live = signal<{ value: Live; atMs: number } | null>(null);
export const connection = signal<Connection>({ kind: "connecting" });
/** Rises with every arrival: whoever shows something older asks again. */
export const tick = signal(0);

/** A stream that brings an event less often than this is not worth its connection. */
const STREAM_SECONDS_MAX = 30;
/** Some proxies hold a stream back until it ends. Without an event for this long, polling has to do. */
const STREAM_SILENCE_MS = 5_000;
/** How long polling is trusted more than a stream that failed. */
const POLLING_MS = 5 * 60_000;
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 15_000;

let pollsUntilMs = 0;
let current: AbortController | null = null;

/** Starts, and starts anew whenever visibility, interval or key change. */
export function startLive(): void {
  effect(() => {
    const seconds = preferences.value.refresh;
    const isWanted = isVisible.value && locked.value === null;
    void key.value;
    untracked(() => begin(isWanted, seconds));
  });
}

/** Now, and then as before. */
export const refreshNow = (): void => begin(true, preferences.peek().refresh);

function begin(isWanted: boolean, seconds: number): void {
  current?.abort();
  current = null;
  if (!isWanted) {
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
    const heard = tick.peek();
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
        locked.value = key.peek() === null ? "" : error.message;
        return;
      }
      failures = tick.peek() === heard ? failures + 1 : 1;
      connection.value = afterFailure(error, failures);
      await sleep(Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (failures - 1)), signal);
    }
  }
}

/** One failure alarms nobody who has numbers: a Worker that is deployed anew cuts every stream, and is there again. */
function afterFailure(error: unknown, failures: number): Connection {
  const before = connection.peek();
  if (failures === 1 && live.peek() !== null && before.kind !== "failing")
    return { kind: "connecting" };
  const sinceMs = before.kind === "failing" ? before.sinceMs : Date.now();
  return { kind: "failing", why: wordsOf(error), sinceMs, isReached: error instanceof ApiFailure };
}

/** Returns when the edge ends it in order; the caller asks again. */
async function stream(seconds: number, signal: AbortSignal): Promise<void> {
  const silence = new AbortController();
  const wait = () => setTimeout(() => silence.abort(), seconds * 1_000 + STREAM_SILENCE_MS);
  let timer = wait();
  try {
    const answer = await call("GET", "/api/live", {
      query: { every: seconds },
      headers: { accept: "text/event-stream" },
      signal: AbortSignal.any([signal, silence.signal]),
    });
    for await (const event of jsonEvents<Live>(answer)) {
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

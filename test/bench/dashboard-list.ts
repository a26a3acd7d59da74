/** The list of requests on a slow phone. */
import type { Browser } from "playwright-core";
import type { LogEntry, Logs } from "../../protocol/api/logs.ts";
import { UNMEASURED } from "../../protocol/records.ts";
import { busyMs, clickedUntil, countBusy, opened, SLOW_CPU, TWO_FRAMES } from "./dashboard-page.ts";

/** One page of the list. */
export const ROWS = 50;

export type ListTimes = {
  /** Processor time until the list is shown, and for reading it again, on a slow phone. */
  shownMs: number;
  againMs: number;
  /** The longest task here. */
  longestMs: number;
};

/** @param url  an edge without boxes */
export async function listTimes(browser: Browser, url: string): Promise<ListTimes> {
  const view = await opened(browser);
  const { page } = view;
  const logs = logsOf(ROWS);
  await page.route("**/api/stats/logs?*", (route) => route.fulfill({ json: logs }));
  await page.addInitScript(`
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    }).observe({ type: "longtask", buffered: true });
  `);
  await page.goto(url);
  await page.getByText("No boxes have connected yet").waitFor();
  await countBusy(view);
  await page.evaluate("globalThis.longest = 0");
  const atFirst = await busyMs(view);
  await clickedUntil(
    page,
    'nav a[href="#/requests"]',
    `document.querySelectorAll("tr.row").length === ${ROWS}`,
  );
  const atList = await busyMs(view);
  const longestMs = await page.evaluate<number>("longest");
  const refresh = page.getByRole("button", { name: "Refresh now" });
  const answered = page.waitForResponse("**/api/stats/logs?*");
  await refresh.evaluate((button) => (button as unknown as { click(): void }).click());
  await (await answered).finished();
  await page.evaluate(TWO_FRAMES);
  const atEnd = await busyMs(view);
  await page.context().close();
  return {
    shownMs: Math.round(SLOW_CPU * (atList - atFirst)),
    againMs: Math.round(SLOW_CPU * (atEnd - atList)),
    longestMs: Math.round(longestMs),
  };
}

function logsOf(rows: number): Logs {
  const nowMs = Date.now();
  const logs = Array.from({ length: rows }, (_, n): LogEntry => {
    const startedMs = nowMs - n * 1_000;
    const time = startedMs.toString(16).padStart(12, "0");
    return {
      ...UNMEASURED,
      id: `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, "0")}`,
      timestamp: new Date(startedMs).toISOString(),
      box: "atlas",
      model: "llama3.2",
      endpoint: "/api/chat",
      api: "ollama",
      stream: true,
      status: "success",
      http_status: 200,
      failed_at: null,
      error_message: null,
      prompt: `Question ${n}: why is the sky blue, and not violet?`.repeat(4),
      prompt_tokens: 20,
      completion_tokens: 100,
      tokens_used: 120,
      latency_ms: 1_250,
      edge_ms: 4,
      tunnel_ms: 30,
      queue_ms: 10,
      load_ms: 2,
      prefill_ms: 150,
      decode_ms: 1_000,
      key_id: null,
      client_ip: null,
      user_agent: null,
      end_user: null,
      session_id: null,
      resumed: 0,
      source: "edge",
    };
  });
  return {
    store: "durable_object",
    logs,
    total: rows,
    limit: rows,
    offset: 0,
    next: null,
    next_cursor: null,
  };
}

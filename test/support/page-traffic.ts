/**
 * Minutes of traffic for an open page, compressed in time: its clock is moved on, and its live stream and
 * some answers of `/api` are replaced by ones that change as a busy fleet's do. Measures whether the page
 * stays still.
 */
import type { Page } from "playwright-core";
import { Costs } from "../../protocol/api/costs.ts";
import { Events } from "../../protocol/api/events.ts";
import { Live } from "../../protocol/api/live.ts";

/** Five minutes, in steps as long as the page may wait for an event. */
const MINUTES = 5;
export const STEP_SECONDS = 30;
export const STEPS = (MINUTES * 60) / STEP_SECONDS;
/** The budget of a page that stays still, as Chromium counts it. */
export const SHIFT_MAX = 0.02;

/** The live stream becomes one that the test feeds, because a stream that ends is opened again. */
const FEED = `
  globalThis.streams = 0;
  const fetched = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const url = new URL(String(input), location.href);
    if (url.pathname !== "/api/live") return fetched(input, init);
    const body = new ReadableStream({
      start: (stream) => {
        streams++;
        globalThis.feed = (event) =>
          stream.enqueue(new TextEncoder().encode("data: " + JSON.stringify(event) + "\\n\\n"));
      },
    });
    return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  };
`;

/** Adds up the shifts of the layout from now on, and names what moved. */
const WATCH = `
  globalThis.shifts = { sum: 0, moved: [] };
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      shifts.sum += value;
      for (const { node, previousRect, currentRect } of sources)
        shifts.moved.push([
          value.toFixed(4),
          node?.nodeName + "." + (node?.className?.baseVal ?? node?.className ?? ""),
          [previousRect.x, previousRect.y, currentRect.x, currentRect.y].map(Math.round).join(),
        ].join(" "));
    }
  }).observe({ type: "layout-shift" });
`;

const TWO_FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

export type Stillness = {
  shift: number;
  /** Elements that moved, and from where to where. */
  moved: string[];
};

export class PageTraffic {
  readonly #page: Page;
  readonly #live: Live;
  #step = 0;

  private constructor(page: Page, live: Live) {
    this.#page = page;
    this.#live = live;
  }

  /** Opens a page with traffic of its own. The browser must refresh it every {@link STEP_SECONDS}. */
  static async open(page: Page, url: string, hash: string): Promise<PageTraffic> {
    const live = Live.parse(await (await fetch(`${url}/api/live`)).json());
    await page.addInitScript(FEED);
    await page.clock.install();
    for (const [path, change] of Object.entries(CHANGES)) {
      let reads = 0;
      await page.route(path, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: change(await answer.json(), reads++) });
      });
    }
    // The bytes of the page are the same, and its hash alone loads nothing again.
    await page.goto(`${url}/${hash}`);
    await page.reload();
    const traffic = new PageTraffic(page, live);
    await page.waitForFunction("globalThis.streams > 0");
    await traffic.step();
    return traffic;
  }

  /** Measures the page from now on: it has loaded. */
  async watch(): Promise<void> {
    await this.#page.evaluate(WATCH);
  }

  /** Moves the page on by one event. */
  async step(): Promise<void> {
    const event = eventOf(this.#live, this.#step++);
    await this.#page.evaluate(`feed(${JSON.stringify(event)})`);
    await this.#page.clock.fastForward(STEP_SECONDS * 1_000);
    await this.#page.evaluate(TWO_FRAMES);
  }

  /** Ends the traffic, and returns what it did to the page. */
  async end(): Promise<Stillness> {
    await this.#page.unrouteAll({ behavior: "wait" });
    await this.#page.evaluate(TWO_FRAMES);
    const { sum, moved } = await this.#page.evaluate<{ sum: number; moved: string[] }>("shifts");
    return { shift: sum, moved };
  }
}

/** Concerns come and go, figures get longer, models are loaded and unloaded, requests begin and end. */
function eventOf(live: Live, step: number): Live {
  const name = live.boxes[0]?.name ?? "atlas";
  const since = live.timestamp;
  const subject = { kind: "box", box: name } as const;
  const model = { kind: "model", box: name, model: "llama3.2:latest" } as const;
  const concerns: Live["health"]["concerns"] = [
    { code: "ollama_unreachable", severity: "critical", subject, since, params: { error: null } },
    { code: "box_draining", severity: "warning", subject, since, params: { in_flight: step } },
    {
      code: "model_errors_high",
      severity: "warning",
      subject: model,
      since,
      params: { error_rate: 0.1, errors: step, requests: 10 * step, minutes: 5 },
    },
    {
      code: "model_on_cpu",
      severity: "warning",
      subject: model,
      since,
      params: { cpu_share: 0.3, cpu_bytes: 3e9 },
    },
  ];
  const open = (n: number): Live["in_flight"][number] => ({
    request_id: `0190b5a0-0000-7000-8000-00000000000${n}`,
    started_at: since,
    model: "llama3.2",
    endpoint: "/api/chat",
    is_queued: n > 1,
    queue_position: null,
    queue_eta_ms: null,
    phase: "decode",
    completion_tokens: step,
    tokens_per_second: step,
    client_ip: null,
    key_id: null,
    key_name: null,
    box: name,
  });
  const times = 10 ** (step % 4);
  return {
    ...live,
    health: {
      ...live.health,
      concerns: [...live.health.concerns, ...concerns.slice(0, step % (concerns.length + 1))],
    },
    stats: {
      ...live.stats,
      total_requests: live.stats.total_requests * times,
      total_tokens: live.stats.total_tokens * times,
      tokens_per_second: times,
      latency_p95_ms: 100 * times,
      ttft_p95_ms: 10 * times,
      in_flight: step % 4,
    },
    boxes: live.boxes.map((box, n) => ({
      ...box,
      loaded: (step + n) % 3 === 0 ? [] : box.loaded,
      in_flight: step % 3,
      queue_depth: times,
    })),
    in_flight: Array.from({ length: step % 4 }, (_, n) => open(n)),
    timestamp: new Date(Date.parse(since) + step * STEP_SECONDS * 1_000).toISOString(),
  };
}

/** Changes each answer of a path: the order of what has used the most, and what happened last. */
const CHANGES: Record<string, (answer: unknown, reads: number) => unknown> = {
  "**/api/costs?*": (answer, reads) => {
    const costs = Costs.parse(answer);
    const rows = reads % 2 === 0 ? costs.rows : costs.rows.toReversed();
    return { ...costs, rows: rows.map((row, n) => ({ ...row, energy_j: 10 ** (6 - n) })) };
  },
  "**/api/events?*": (answer, reads) => {
    const page = Events.parse(answer);
    const [first] = page.events;
    if (first === undefined) return page;
    const newer = Array.from({ length: reads }, (_, n) => ({ ...first, id: first.id + n + 1 }));
    return { ...page, events: [...newer.toReversed(), ...page.events] };
  },
};

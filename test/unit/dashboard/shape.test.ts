/** The pure parts of the page: events, routes, filters, waterfalls, axes, pulls and chats. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { eventsIn } from "../../../dashboard/data/events.ts";
import { timeLabels } from "../../../dashboard/shape/axis.ts";
import {
  afterChatEvent as afterToken,
  messagesOf,
  pendingAnswer,
  promptMessages,
  trimmedToStorage,
  userMessage,
} from "../../../dashboard/shape/chat.ts";
import {
  afterOf,
  cursorsOf,
  filtersOf,
  isFiltered,
  logQueryOf,
} from "../../../dashboard/shape/filters.ts";
import {
  columnsOf,
  isEmpty,
  RANGES,
  rangesOffered,
  summaryOf,
} from "../../../dashboard/shape/history.ts";
import { expiryText, isSameModel } from "../../../dashboard/shape/models.ts";
import { costOf, costPerDay, sumKnown } from "../../../dashboard/shape/power.ts";
import { afterPullEvent, newPull, percentOf } from "../../../dashboard/shape/pull.ts";
import { hashOf, routeOf } from "../../../dashboard/shape/route.ts";
import { segmentsOf } from "../../../dashboard/shape/waterfall.ts";

test("reads events whole wherever the stream is cut", () => {
  const text = 'data: {"a":1}\n\n: a comment\n\ndata: x\ndata: y\r\n\r\ndata:z\n\n';
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const ends = [...cuts.sort((a, b) => a - b), text.length];
      const all: string[] = [];
      let rest = "";
      let from = 0;
      for (const end of ends) {
        const read = eventsIn(rest + text.slice(from, end));
        all.push(...read.events);
        rest = read.rest;
        from = end;
      }
      expect(all).toEqual(['{"a":1}', "x\ny", "z"]);
    }),
  );
});

test.each([
  ["", "overview", {}],
  ["#/", "overview", {}],
  ["#/requests?status=error&q=a%20b", "requests", { status: "error", q: "a b" }],
  ["#/nowhere", "overview", {}],
  ["#/__proto__", "overview", {}],
] as const)("parses the URL hash %s as the page %s", (hash, page, query) =>
  expect(routeOf(hash)).toEqual({ page, query }),
);

test("parses a hash back to the query that built it", () => {
  expect(routeOf(hashOf("requests", { q: "a&b=c#d", status: undefined }))).toEqual({
    page: "requests",
    query: { q: "a&b=c#d" },
  });
});

const MINUTE = Date.parse("2026-11-24T12:00:00Z");

test("converts filters to the API query and drops invalid values", () => {
  const query = logQueryOf(
    filtersOf({ status: "error", model: "m", period: "1h", other: "x" }),
    MINUTE,
  );
  expect(query).toEqual({
    status: "error",
    model: "m",
    since: "2026-11-24T11:00:00.000Z",
    until: undefined,
  });
  expect(
    logQueryOf(filtersOf({ status: "maybe", from: "yesterday", period: "toString" }), MINUTE),
  ).toEqual({
    status: undefined,
    since: undefined,
    until: undefined,
  });
  const local = logQueryOf({ from: "2026-11-24T10:00" }, MINUTE).since;
  expect(local).toBe(new Date("2026-11-24T10:00").toISOString());
  expect([isFiltered({}), isFiltered({ q: "x" })]).toEqual([false, true]);
});

test("keeps the cursors of a result page in the URL", () => {
  const cursors = ["0190b5a0-0000-7000-8000-00000000000a", "0190b5a0-0000-7000-8000-00000000000b"];
  expect(cursorsOf(routeOf(hashOf("requests", { after: afterOf(cursors) })).query)).toEqual(
    cursors,
  );
  expect([afterOf([]), cursorsOf({})]).toEqual(["", []]);
});

test("offers a year only with an external store or if it is already chosen", () => {
  expect(rangesOffered(false, "1h")).not.toContain("365d");
  expect(rangesOffered(true, "1h")).toEqual(RANGES);
  expect(rangesOffered(false, "365d")).toContain("365d");
});

const times = {
  latency_ms: 1_000,
  edge_ms: 20,
  tunnel_ms: 40,
  queue_ms: 100,
  load_ms: null,
  prefill_ms: 200,
  decode_ms: 600,
};

test("lists the known phases in order, then the unaccounted time", () => {
  expect(segmentsOf(times).map(({ phase, ms }) => [phase, ms])).toEqual([
    ["edge", 20],
    ["tunnel", 40],
    ["queue", 100],
    ["prefill", 200],
    ["decode", 600],
    ["other", 40],
  ]);
  expect(
    segmentsOf({
      ...times,
      edge_ms: null,
      tunnel_ms: null,
      queue_ms: null,
      prefill_ms: null,
      decode_ms: null,
    }),
  ).toMatchObject([{ phase: "other", part: 1 }]);
  expect(
    segmentsOf({
      ...times,
      latency_ms: 0,
      edge_ms: 0,
      tunnel_ms: 0,
      queue_ms: 0,
      prefill_ms: 0,
      decode_ms: 0,
    }),
  ).toEqual([]);
});

test("never exceeds the whole waterfall, whatever was measured", () => {
  const ms = fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }));
  fc.assert(
    fc.property(
      fc.record({
        latency_ms: fc.double({ min: 0, max: 1e7, noNaN: true }),
        edge_ms: ms,
        tunnel_ms: ms,
        queue_ms: ms,
        load_ms: ms,
        prefill_ms: ms,
        decode_ms: ms,
      }),
      (entry) => {
        const sum = segmentsOf(entry).reduce((total, { part }) => total + part, 0);
        expect(sum).toBeLessThanOrEqual(1 + 1e-9);
        if (sum > 0) expect(sum).toBeGreaterThan(0.99);
      },
    ),
  );
});

test("labels a time axis with the date where the day changes", () => {
  const at = (iso: string) => Date.parse(iso) / 1_000;
  expect(
    timeLabels(
      [at("2026-11-24T23:00Z"), at("2026-11-25T00:00Z"), at("2026-11-25T01:00Z")],
      3_600,
      "UTC",
    ),
  ).toEqual(["23:00", "25 Nov", "01:00"]);
  expect(timeLabels([at("2026-11-24T23:00:10Z")], 10, "UTC")).toEqual(["23:00:10"]);
  expect(timeLabels([at("2026-11-24T00:00Z")], 86_400, "UTC")).toEqual(["24 Nov"]);
});

test("describes a chart as text", () => {
  expect(
    summaryOf("Latency", [{ name: "P50", values: [1, null, 3] }], (value) => `${value} ms`),
  ).toBe("Latency: P50: last 3 ms, lowest 1 ms, highest 3 ms");
  expect(summaryOf("Latency", [{ name: "P50", values: [null] }], String)).toBe(
    "Latency: P50: no data",
  );
  expect([isEmpty([[null, 0]]), isEmpty([[null, 2]])]).toEqual([true, false]);
  expect(columnsOf([]).at).toEqual([]);
});

test("treats a model with and without :latest as one, and shows when it unloads", () => {
  expect([
    isSameModel("a", "a:latest"),
    isSameModel("hf.co:443/a", "hf.co:443/a:latest"),
    isSameModel("a:1b", "a"),
  ]).toEqual([true, true, false]);
  expect(
    expiryText(new Date(MINUTE + 299_000).toISOString(), MINUTE).replaceAll("\u202f", " "),
  ).toBe("unloads in 5 min");
  expect(expiryText("2318-01-01T00:00:00Z", MINUTE)).toBe("stays loaded");
  expect(expiryText("soon", MINUTE)).toBe("");
});

test("adds up the layers of a pull over its boxes and takes the final state from the last event", () => {
  const id = "0190b5a0-0000-7000-8000-00000000000a";
  let pull = newPull("phi3");
  expect(percentOf(pull)).toBeNull();
  pull = afterPullEvent(pull, {
    box: "a",
    request_id: id,
    status: "pulling",
    digest: "x",
    total: 100,
    completed: 50,
  });
  pull = afterPullEvent(pull, {
    box: "a",
    request_id: id,
    status: "pulling",
    digest: "y",
    total: 100,
  });
  pull = afterPullEvent(pull, { box: "b", request_id: id, error: "disk full" });
  expect(percentOf(pull)).toBe(25);
  pull = afterPullEvent(pull, {
    done: true,
    status: "error",
    boxes: [
      { box: "a", request_id: id, status: "success", error: null },
      { box: "b", request_id: id, status: "error", error: "disk full" },
    ],
  });
  expect([pull.state, pull.boxes.a?.status, pull.boxes.b?.error]).toEqual([
    "error",
    "done",
    "disk full",
  ]);
});

test("builds an answer from its events and takes the token rate from the final count", () => {
  let answer = pendingAnswer("m");
  answer = afterToken(answer, { thinking: "hm" }, 0);
  answer = afterToken(answer, { token: "Hel" }, 100);
  answer = afterToken(answer, { token: "lo" }, 200);
  answer = afterToken(answer, { done: true, completion_tokens: 40, done_reason: "stop" }, 2_000);
  expect(answer).toMatchObject({
    content: "Hello",
    thinking: "hm",
    state: "done",
    tokens: 40,
    rate: 20,
  });
  expect(afterToken(pendingAnswer(null), { error: "no" }, 0)).toMatchObject({
    state: "failed",
    error: "no",
  });
  expect(
    promptMessages([
      userMessage("hi"),
      { ...pendingAnswer("m"), state: "failed" },
      userMessage("again"),
    ]),
  ).toEqual([
    { role: "user", content: "hi" },
    { role: "user", content: "again" },
  ]);
});

test("limits the stored conversation and drops invalid stored messages", () => {
  const long = userMessage("x".repeat(900_000));
  expect(trimmedToStorage([long, long, userMessage("last")]).length).toBe(3);
  expect(
    trimmedToStorage([long, long, long, userMessage("last")]).map(({ content }) => content.length),
  ).toEqual([900_000, 900_000, 4]);
  expect(
    messagesOf([
      { role: "user", content: "hi" },
      { role: "root", content: "x" },
      null,
      7,
      { role: "user" },
    ]),
  ).toMatchObject([{ content: "hi", state: "done" }]);
  expect(messagesOf("{}")).toEqual([]);
});

test("leaves unknown power out of the sum and converts power to cost per kWh", () => {
  expect([sumKnown([100, null, 50]), sumKnown([null])]).toEqual([150, null]);
  expect(costPerDay(1_000, 0.3)).toBeCloseTo(7.2);
  expect(costOf(3_600_000, 0.3)).toBeCloseTo(0.3);
});

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { Slots } from "../../../../agent/queue/slots.ts";
import { OllamaQueue } from "../../../../agent/readings/queue.ts";
import type { OpenRequest } from "../../../../protocol/inventory.ts";

/** The n-th request, in the order of arrival. `answers`: Ollama has begun to answer it. */
const request = (n: number, answers: boolean, more: Partial<OpenRequest> = {}): OpenRequest => ({
  request_id: randomUUID(),
  started_at: new Date(n).toISOString(),
  model: "m",
  endpoint: "/api/chat",
  key_id: null,
  client_ip: null,
  is_queued: !answers,
  queue_position: null,
  queue_eta_ms: null,
  phase: null,
  completion_tokens: null,
  tokens_per_second: null,
  ...more,
});
const waiting = (
  queue: OllamaQueue,
  requests: OpenRequest[],
  { loaded = ["m:latest"], answered = new Set<string>() } = {},
): number[] =>
  queue
    .mark({ requests, answered, loaded })
    .flatMap(({ is_queued }, index) => (is_queued ? [index] : []));

const CASES: [queue: string, requests: OpenRequest[], loaded: string[], waits: number[]][] = [
  ["nothing of one answer in one piece", [request(1, false)], ["m:latest"], []],
  ["a call whose model is not in memory", [request(1, false)], [], [0]],
  ["all but one of four calls", [1, 2, 3, 4].map((n) => request(n, false)), ["m"], [1, 2, 3]],
  ["a call beside a streamed one", [request(1, true), request(2, false)], ["m:latest"], [1]],
  [
    "one of two calls of each model",
    [request(1, false), request(2, false), request(3, false, { model: "n:1b" })],
    ["m:latest", "n:1b"],
    [1],
  ],
  [
    "the newest, whatever the order",
    [request(3, false), request(1, false), request(2, false)],
    ["m:latest"],
    [0, 2],
  ],
  [
    "neither a list nor a pull",
    [
      request(1, false, { endpoint: "/api/tags", model: null }),
      request(2, false, { endpoint: "/api/pull" }),
    ],
    [],
    [],
  ],
];

test.each(CASES)("queues %s", (_queue, requests, loaded, waits) => {
  expect(waiting(new OllamaQueue(new Slots(null)), requests, { loaded })).toEqual(waits);
});

test.each([1, 2, 4, 8])("queues N calls minus %d parallel slots", (slots) => {
  const calls = Array.from({ length: 10 }, (_, n) => request(n, false));
  expect(waiting(new OllamaQueue(new Slots(slots)), calls)).toHaveLength(10 - slots);
});

test("learns the slots of a model from the answers that it writes at once, until it is unloaded", () => {
  const queue = new OllamaQueue(new Slots(null));
  const calls = [1, 2, 3].map((n) => request(n, true));
  expect(waiting(queue, [...calls, request(4, false)])).toEqual([3]);
  const next = [5, 6, 7, 8].map((n) => request(n, false));
  expect(waiting(queue, next)).toEqual([3]);
  expect(waiting(queue, next, { loaded: [] })).toEqual([0, 1, 2, 3]);
  expect(waiting(queue, next)).toEqual([1, 2, 3]);
});

test("an answer that a slow caller still reads takes no slot", () => {
  const done = request(1, true);
  const answered = new Set([done.request_id]);
  const queue = new OllamaQueue(new Slots(null));
  expect(waiting(queue, [done, request(2, false), request(3, false)], { answered })).toEqual([2]);
});

const PHASES: [phase: string, request: OpenRequest, loaded: string[]][] = [
  ["load", request(1, false, { phase: "prefill" }), []],
  ["prefill", request(1, false, { phase: "prefill" }), ["m:latest"]],
  ["decode", request(1, true, { phase: "decode" }), ["m:latest"]],
  ["queue", request(1, false, { queue_position: 1 }), []],
  ["queue", request(1, false, { queue_position: 1, phase: "prefill" }), ["m:latest"]],
];

test.each(PHASES)("reports the phase %s", (phase, open, loaded) => {
  const queue = new OllamaQueue(new Slots(null));
  const [marked] = queue.mark({ requests: [open], answered: new Set(), loaded });
  expect(marked?.phase).toBe(phase);
});

test("reports the phase queue of a call that Ollama holds back behind another one", () => {
  const queue = new OllamaQueue(new Slots(1));
  const [first, second] = queue.mark({
    requests: [1, 2].map((n) => request(n, false, { phase: "prefill" })),
    answered: new Set(),
    loaded: ["m:latest"],
  });
  expect([first?.phase, second?.phase]).toEqual(["prefill", "queue"]);
});

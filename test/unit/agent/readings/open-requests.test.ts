import { expect, test } from "vitest";
import { RequestQueue } from "../../../../agent/queue/request-queue.ts";
import { Slots } from "../../../../agent/queue/slots.ts";
import { OpenRequests } from "../../../../agent/readings/open-requests.ts";
import type { OpenRequest } from "../../../../protocol/inventory.ts";

const requestOf = (id: string, model: string | null, endpoint = "/api/chat"): OpenRequest => ({
  request_id: id,
  started_at: new Date(0).toISOString(),
  model,
  endpoint,
  key_id: null,
  client_ip: null,
  is_queued: false,
  queue_position: null,
  queue_eta_ms: null,
  phase: null,
  completion_tokens: null,
  tokens_per_second: null,
});

const sourceOf = (...requests: OpenRequest[]) => ({ requests, answered: [], progress: [] });

test("reports the load by model, the busiest first, with the models in memory", () => {
  const tunnel = sourceOf(
    requestOf("1", "busy"),
    requestOf("2", "busy:latest"),
    requestOf("3", null, "/api/tags"),
    requestOf("4", "pulled:1b", "/api/pull"),
  );
  const listener = sourceOf(requestOf("5", "busy"), requestOf("6", "other:1b"));
  const slots = new Slots(4);
  const open = new OpenRequests(new RequestQueue(slots), [tunnel, listener], () => ["idle:1b"]);
  expect(open.load().serving).toEqual([
    { model: "busy:latest", open: 3, local: 1, slots: 4 },
    { model: "other:1b", open: 1, local: 1, slots: 4 },
    { model: "idle:1b", open: 0, local: 0, slots: 4 },
  ]);
});

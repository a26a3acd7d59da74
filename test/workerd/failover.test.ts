/** A call whose box fails before its answer begins moves to another box, and keeps one record. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, jsonBytes, streamFrame, tunnelFrame } from "../../protocol/frames.ts";
import { ATTEMPTS_MAX, MOVE_LOST_MS } from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { SMALL_BODY_BYTES } from "../../worker/gateway/body-budget.ts";
import {
  aborts,
  answers,
  FAILED,
  type Failing,
  recordOf,
  report,
  succeeds,
  whereAndWhy,
} from "./box-endings.ts";
import { boxesWithModel } from "./boxes-with-model.ts";
import { eventually, logOf, textOf } from "./calls.ts";

/** Boxes that have a model, the first of them in memory, and a call of it. */
async function scene(count = 2) {
  const names = Array.from({ length: count }, (_, n) => `failing-${n}`);
  const world = await boxesWithModel(names, { yields_lost: true });
  await world.first.has([world.model], [world.model]);
  return world;
}

test.each<[reason: string, fails: Failing]>([
  ["ollama_unreachable", aborts("ollama_unreachable")],
  ["no_answer", aborts("ollama_unreachable", { no_answer: true })],
  ["ollama_broke", aborts("ollama_broke")],
  ["draining", aborts("draining")],
  ["agent_restarted", aborts("lost")],
  ["http_500", answers(500)],
  ["http_503", answers(503)],
  ["model_not_found", answers(404)],
])(
  "a call moves from a box that failed with %s, with both attempts in one record",
  async (reason, fails) => {
    const { first, second, ask } = await scene();
    const answered = ask();
    const before = await first.next();
    expect(before.open.may_move).toBe(true);
    fails(first, before);
    const after = await second.next();
    expect([after.stream, after.body, after.open.may_move]).toEqual([
      before.stream,
      before.body,
      undefined,
    ]);
    succeeds(second, after);
    const answer = await answered;
    expect(whereAndWhy(answer)).toEqual([200, second.name, "failover"]);
    expect(await textOf(answer)).toBe('{"done":true}\n');
    await report(first, recordOf(first, before, FAILED));
    expect(await logOf(before.stream)).toBeUndefined();
    await report(second, recordOf(second, after, {}));
    await report(first, recordOf(first, before, FAILED));
    const record = await logOf(before.stream);
    expect(record).toMatchObject({
      box: second.name,
      status: "success",
      route_reason: "failover",
      attempts: 2,
    });
    expect(record?.moved_from).toMatch(new RegExp(`^${first.name}:${reason}:\\d+ms$`));
  },
);

test("a call moves from a box whose agent is lost, once that has ended it", async () => {
  const { first, second, ask } = await scene();
  const answered = ask();
  const before = await first.next();
  const lostMs = Date.now();
  first.agent.socket.close(1001, "lost");
  const after = await second.next();
  expect(Date.now() - lostMs).toBeGreaterThanOrEqual(MOVE_LOST_MS - 100);
  expect(after.stream).toBe(before.stream);
  succeeds(second, after);
  expect(whereAndWhy(await answered)).toEqual([200, second.name, "failover"]);
  await report(second, recordOf(second, after, {}));
  expect(await logOf(after.stream)).toMatchObject({
    box: second.name,
    attempts: 2,
    moved_from: expect.stringMatching(new RegExp(`^${first.name}:tunnel_lost:\\d+ms$`)),
  });
});

test("a call that every box fails ends with the answer of the last, after few attempts", async () => {
  const { all, ask } = await scene(ATTEMPTS_MAX + 1);
  const answered = ask();
  const tried: string[] = [];
  await Promise.all(
    all
      .map(async (box) => {
        const received = await box.next();
        tried.push(box.name);
        answers(503)(box, received);
      })
      .map((next) => Promise.race([next, answered])),
  );
  const answer = await answered;
  expect(tried).toHaveLength(ATTEMPTS_MAX);
  expect(whereAndWhy(answer)).toEqual([503, tried.at(-1), "failover"]);
});

test("a call whose other boxes refuse it gets the answer of its own", async () => {
  const { first, second, ask } = await scene();
  const answered = ask();
  const received = await first.next();
  second.agent.send(tunnelFrame(FrameType.drain));
  await eventually(async () =>
    (await aggregatorOf(env).registry()).find(
      ({ name, state }) => name === second.name && state === "draining",
    ),
  );
  answers(500)(first, received);
  const answer = await answered;
  expect(whereAndWhy(answer)).toEqual([500, first.name, "warm"]);
  await report(first, recordOf(first, received, { ...FAILED, http_status: 500 }));
  expect(await logOf(received.stream)).toMatchObject({ box: first.name, attempts: 1 });
});

test("a model that a box lost is not denied while another box that has it is away", async () => {
  const { first, second, model, ask } = await scene();
  const answered = ask();
  const received = await first.next();
  await second[Symbol.asyncDispose]();
  answers(404)(first, received);
  const answer = await answered;
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await textOf(answer)).toContain(`${model} is on ${second.name}`);
  await report(first, recordOf(first, received, { ...FAILED, http_status: 404 }));
  expect(await logOf(received.stream)).toMatchObject({
    box: null,
    status: "error",
    http_status: 503,
    attempts: 1,
    moved_from: expect.stringContaining(`${first.name}:model_not_found:`),
  });
});

test("a model that a box lost is not denied to a call that cannot move", async () => {
  const { first, second, model, ask } = await scene();
  const body = JSON.stringify({ model, prompt: "a".repeat(SMALL_BODY_BYTES) });
  const answered = ask("/ollama/api/generate", { body });
  const { stream } = await first.agent.next(FrameType.open);
  answers(404)(first, { stream, open: {} as Open });
  const answer = await answered;
  expect(answer.status).toBe(503);
  expect(await textOf(answer)).toContain(`${model} is on ${second.name}`);
});

test("a model that a box denies is denied to a caller who named the box", async () => {
  const { first, ask } = await scene();
  const answered = ask("/ollama/api/chat", { headers: { "x-box": first.name } });
  answers(404)(first, await first.next());
  expect(whereAndWhy(await answered)).toEqual([404, first.name, "named"]);
});

test("a failure that only the edge knows is the record, with the boxes before", async () => {
  const { first, second, ask } = await scene();
  const answered = ask();
  aborts("ollama_unreachable")(first, await first.next());
  const after = await second.next();
  aborts("draining")(second, after);
  expect(whereAndWhy(await answered)).toEqual([503, second.name, "failover"]);
  expect(await eventually(() => logOf(after.stream))).toMatchObject({
    box: second.name,
    status: "error",
    attempts: 2,
    moved_from: expect.stringContaining(`${first.name}:ollama_unreachable:`),
  });
});

test("a call that changes something stays on its box", async () => {
  const { first, second, model, ask } = await scene();
  const body = JSON.stringify({ source: model, destination: "copy" });
  const answered = ask("/ollama/api/copy", { body });
  const [box, received] = await Promise.race(
    [first, second].map(async (each) => [each, await each.next()] as const),
  );
  expect(received.open.may_move).toBeUndefined();
  answers(500)(box, received);
  expect(whereAndWhy(await answered).slice(0, 2)).toEqual([500, box.name]);
});

test("a call whose box the caller named stays there", async () => {
  const { first, ask } = await scene();
  const answered = ask("/ollama/api/chat", { headers: { "x-box": first.name } });
  const received = await first.next();
  expect(received.open.may_move).toBeUndefined();
  aborts("ollama_unreachable")(first, received);
  expect(whereAndWhy(await answered)).toEqual([503, first.name, "named"]);
});

test("a call whose body is too large to keep stays on its box", async () => {
  const { first, model, ask } = await scene();
  const body = JSON.stringify({ model, prompt: "a".repeat(SMALL_BODY_BYTES) });
  const answered = ask("/ollama/api/generate", { body });
  const { stream, payload } = await first.agent.next(FrameType.open);
  expect(JSON.parse(new TextDecoder().decode(payload)).may_move).toBeUndefined();
  aborts("ollama_unreachable")(first, { stream, open: {} as Open });
  expect((await answered).status).toBe(503);
});

test("a call stays on its box once a byte of its answer was sent", async () => {
  const { first, second, ask } = await scene();
  const answered = ask();
  const { stream } = await first.next();
  first.agent.send(
    {
      type: FrameType.head,
      stream,
      seq: 0,
      payload: jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }),
    },
    { type: FrameType.data, stream, seq: 1, payload: jsonBytes({ done: false }) },
  );
  const answer = await answered;
  first.agent.send(
    streamFrame(FrameType.abort, stream, 0, jsonBytes({ code: "ollama_broke", message: "gone" })),
  );
  expect(await textOf(answer)).toContain("gone");
  expect(answer.headers.get("x-box")).toBe(first.name);
  expect(second.agent.frames.filter(({ type }) => type === FrameType.open)).toEqual([]);
});

test("a caller that leaves between two boxes is one cancelled record", async () => {
  const { first, second, ask } = await scene();
  const leaving = new AbortController();
  const answered = ask("/ollama/api/chat", { signal: leaving.signal });
  answered.catch(() => {});
  const before = await first.next();
  aborts("ollama_unreachable")(first, before);
  const after = await second.next();
  leaving.abort();
  const { stream } = await second.agent.next(FrameType.abort);
  expect(stream).toBe(after.stream);
  await report(second, recordOf(second, after, { status: "cancelled", http_status: 499 }));
  await report(first, recordOf(first, before, FAILED));
  expect(await logOf(stream)).toMatchObject({
    box: second.name,
    status: "cancelled",
    attempts: 2,
  });
});

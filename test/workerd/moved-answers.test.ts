/** Calls whose callers have headers and signs of life already, when their box fails. */
import { expect, test } from "vitest";
import { FrameType, jsonBytes, streamFrame } from "../../protocol/frames.ts";
import {
  aborts,
  answers,
  FAILED,
  type Failing,
  recordOf,
  report,
  succeeds,
} from "./box-endings.ts";
import { boxesWithModel } from "./boxes-with-model.ts";
import { eventually, logOf, textOf } from "./calls.ts";

const REPORT = { position: 1, eta_ms: null, slots: 1, is_loading: false };

/** Two boxes that have a model, the first of them in memory, and a call of it whose answer has begun. */
async function scene(path = "/ollama/api/chat") {
  const { first, second, model, ask } = await boxesWithModel(["early-0", "early-1"], {
    yields_lost: true,
  });
  await first.has([model], [model]);
  const answered = ask(path, { body: JSON.stringify({ model, messages: [], stream: true }) });
  const before = await first.next();
  first.agent.send(streamFrame(FrameType.waiting, before.stream, 0, jsonBytes(REPORT)));
  const answer = await answered;
  expect([answer.status, answer.headers.get("x-box")]).toEqual([200, first.name]);
  return { first, second, before, answer };
}

test.each<[reason: string, fails: Failing]>([
  ["ollama_unreachable", aborts("ollama_unreachable")],
  ["agent_restarted", aborts("lost")],
  ["http_500", answers(500)],
])(
  "an answer that began before its box failed with %s goes on with that of another box",
  async (reason, fails) => {
    const { first, second, before, answer } = await scene();
    fails(first, before);
    const after = await second.next();
    expect([after.stream, after.body]).toEqual([before.stream, before.body]);
    expect([before.open.answer_begun, after.open.answer_begun]).toEqual([undefined, true]);
    succeeds(second, after);
    expect((await textOf(answer)).trimStart()).toBe('{"done":true}\n');
    await report(first, recordOf(first, before, { ...FAILED, http_status: 200 }));
    await report(second, recordOf(second, after, {}));
    expect(await logOf(before.stream)).toMatchObject({
      box: second.name,
      status: "success",
      attempts: 2,
      moved_from: expect.stringContaining(`${first.name}:${reason}:`),
    });
  },
);

test("an answer that began ends with the error of the last box, in the words of its API", async () => {
  const { first, second, before, answer } = await scene("/v1/chat/completions");
  aborts("ollama_unreachable")(first, before);
  const after = await second.next();
  aborts("draining")(second, after);
  expect(await textOf(answer)).toMatch(/data: \{"error":\{.*"code":"box_draining"\}\}\n\n$/);
  expect(await eventually(() => logOf(after.stream))).toMatchObject({
    box: second.name,
    status: "error",
    http_status: 200,
    attempts: 2,
  });
});

test("an answer that began, of a model that the last box has lost while another one is away, ends with that", async () => {
  const { first, second, before, answer } = await scene();
  await second[Symbol.asyncDispose]();
  answers(404)(first, before);
  expect(JSON.parse(await textOf(answer)).error).toContain(`is on ${second.name}`);
  expect(await eventually(() => logOf(before.stream))).toMatchObject({
    box: null,
    status: "error",
    http_status: 200,
  });
});

test("a caller who leaves an answer that began while its call moves is one cancelled record", async () => {
  const { first, second, before, answer } = await scene();
  aborts("ollama_unreachable")(first, before);
  const after = await second.next();
  await answer.body?.cancel();
  const { stream } = await second.agent.next(FrameType.abort);
  expect(stream).toBe(after.stream);
  await report(second, recordOf(second, after, { status: "cancelled", http_status: 200 }));
  expect(await eventually(() => logOf(stream))).toMatchObject({
    box: second.name,
    status: "cancelled",
    attempts: 2,
  });
});

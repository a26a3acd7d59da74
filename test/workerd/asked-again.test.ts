/**
 * A call of an isolate that knows a single holder: once that has failed, the isolate reads the boxes again,
 * because another one may have come meanwhile.
 */
import { expect, test } from "vitest";
import { ASKED_AGAIN_MS } from "../../worker/gateway/known-boxes.ts";
import { correctFleet, fleetKnownSince } from "../../worker/gateway/known-fleet.ts";
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

/**
 * A box that has a model, and a second one that this isolate does not know yet.
 * @param hasTwin  the second box has the model too
 */
async function scene({ takes_may_ask = true, hasTwin = true } = {}) {
  const {
    model,
    first: sole,
    second: twin,
    ask,
  } = await boxesWithModel(["sole", "twin"], { takes_may_ask });
  if (!hasTwin) await twin.has(["other:1b"]);
  // The isolate learns the boxes by a call, as if the second one had come after it.
  const learning = ask(undefined, { headers: { "x-box": sole.name } });
  succeeds(sole, await sole.next());
  await textOf(await learning);
  correctFleet((fleet) => ({ boxes: fleet.boxes.filter(({ name }) => name !== twin.name) }));
  await eventually(async () => fleetKnownSince(ASKED_AGAIN_MS) === null || undefined);
  return { model, sole, twin, ask };
}

test.each<[reason: string, fails: Failing]>([
  ["ollama_unreachable", aborts("ollama_unreachable")],
  ["ollama_broke", aborts("ollama_broke")],
  ["draining", aborts("draining")],
  ["agent_restarted", aborts("lost")],
  ["http_500", answers(500)],
  ["model_not_found", answers(404)],
])(
  "after %s the call moves to a box that has come meanwhile, with one record",
  async (why, fails) => {
    const { sole, twin, ask } = await scene();
    const answered = ask();
    const before = await sole.next();
    expect([before.open.may_move, before.open.may_ask]).toEqual([undefined, true]);
    fails(sole, before);
    const after = await twin.next();
    expect([after.stream, after.body]).toEqual([before.stream, before.body]);
    expect([after.open.may_move, after.open.may_ask]).toEqual([undefined, undefined]);
    succeeds(twin, after);
    expect(whereAndWhy(await answered)).toEqual([200, twin.name, "failover"]);
    await report(twin, recordOf(twin, after, {}));
    await report(sole, recordOf(sole, before, FAILED));
    expect(await logOf(before.stream)).toMatchObject({
      box: twin.name,
      status: "success",
      attempts: 2,
      moved_from: expect.stringMatching(new RegExp(`^${sole.name}:${why}:\\d+ms$`)),
    });
  },
);

test.each<[status: number, fails: Failing]>([
  [503, aborts("ollama_unreachable")],
  [500, answers(500)],
  [404, answers(404)],
])("a %d stands if no other box has the model", async (status, fails) => {
  const { sole, ask } = await scene({ hasTwin: false });
  const answered = ask();
  const received = await sole.next();
  fails(sole, received);
  expect(whereAndWhy(await answered)).toEqual([status, sole.name, "only-holder"]);
  await report(sole, recordOf(sole, received, { ...FAILED, http_status: status }));
  expect(await logOf(received.stream)).toMatchObject({ box: sole.name, attempts: 1 });
});

test("the failure of an older agent stands, which would not keep its record back", async () => {
  const { sole, ask } = await scene({ takes_may_ask: false });
  const answered = ask();
  const received = await sole.next();
  expect(received.open.may_ask).toBeUndefined();
  answers(500)(sole, received);
  expect(whereAndWhy(await answered)).toEqual([500, sole.name, "only-holder"]);
});

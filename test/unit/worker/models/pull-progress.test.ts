import { expect, test } from "vitest";
import { PullDone, PullEvent } from "../../../../protocol/api/ollama.ts";
import { PullProgress } from "../../../../worker/models/pull-progress.ts";

const A = { box: "atlas", requestId: "0190b5a0-0000-7000-8000-00000000000a" };
const B = { box: "basil", requestId: "0190b5a0-0000-7000-8000-00000000000b" };
const layer = (digest: string, total: number, completed?: number) =>
  JSON.stringify({ status: `pulling ${digest}`, digest, total, completed });

test("adds the box and the request id to a line, and sums nothing for a single box", () => {
  const progress = new PullProgress([A]);
  expect(
    PullEvent.parse(progress.line("atlas", '{"status":"pulling manifest","something":"new"}')),
  ).toEqual({
    box: "atlas",
    request_id: A.requestId,
    status: "pulling manifest",
    something: "new",
  });
  progress.line("atlas", '{"status":"success"}');
  expect(progress.end("atlas")).toBeNull();
  expect(PullDone.parse(progress.done())).toEqual({
    done: true,
    status: "success",
    boxes: [{ box: "atlas", request_id: A.requestId, status: "success", error: null }],
  });
});

test("adds up the layers of all boxes, counting the latest progress of each", () => {
  const progress = new PullProgress([A, B]);
  const overall = (box: string, line: string) => PullEvent.parse(progress.line(box, line)).overall;
  expect(overall("atlas", '{"status":"pulling manifest"}')).toEqual({
    boxes: 2,
    finished: 0,
    failed: 0,
    total_bytes: null,
    completed_bytes: 0,
  });
  expect(overall("atlas", layer("one", 100))).toMatchObject({
    total_bytes: 100,
    completed_bytes: 0,
  });
  expect(overall("atlas", layer("one", 100, 40))).toMatchObject({
    total_bytes: 100,
    completed_bytes: 40,
  });
  expect(overall("basil", layer("one", 100, 10))).toMatchObject({
    total_bytes: 200,
    completed_bytes: 50,
  });
  expect(overall("atlas", layer("two", 7, 9))).toMatchObject({
    total_bytes: 207,
    completed_bytes: 57,
  });
  expect(overall("atlas", '{"status":"success"}')).toMatchObject({ finished: 1, failed: 0 });
  expect(overall("basil", '{"error":"disk full"}')).toMatchObject({ finished: 1, failed: 1 });
});

test("reports an error for the whole pull if one box fails, with that box's first error", () => {
  const progress = new PullProgress([A, B]);
  progress.line("atlas", '{"error":"pull model manifest: file does not exist"}');
  progress.fail("atlas", "the tunnel is gone");
  progress.line("atlas", '{"status":"success"}');
  progress.line("basil", '{"status":"success"}');
  expect(progress.end("atlas")).toBeNull();
  const done = PullDone.parse(progress.done());
  expect(done.status).toBe("error");
  expect(done.boxes.map(({ box, error }) => [box, error])).toEqual([
    ["atlas", "pull model manifest: file does not exist"],
    ["basil", null],
  ]);
});

test.each([["not JSON"], ["[1]"], ['"text"'], ["null"], [""]])(
  "fails the box that sends %j, which is not pull progress",
  (line) => {
    const progress = new PullProgress([A]);
    expect(progress.line("atlas", line)).toMatchObject({
      box: "atlas",
      error: expect.stringContaining("not pull progress"),
    });
    expect(progress.done().status).toBe("error");
  },
);

test("ignores fields of another type, and lets no line change its box or request id", () => {
  const progress = new PullProgress([A, B]);
  const line = {
    box: "x",
    request_id: "y",
    overall: "z",
    status: 7,
    digest: null,
    total: "many",
    completed: -1,
    error: ["e"],
  };
  expect(PullEvent.parse(progress.line("atlas", JSON.stringify(line)))).toMatchObject({
    box: "atlas",
    request_id: A.requestId,
    overall: { failed: 0, total_bytes: null },
  });
});

test("reports an error if an answer ends without success", () => {
  const progress = new PullProgress([A]);
  progress.line("atlas", '{"status":"verifying sha256 digest"}');
  expect(progress.end("atlas")).toMatchObject({
    error: expect.stringContaining("ended without reporting success"),
  });
  expect(progress.done().boxes[0]?.status).toBe("error");
});

test("keeps a bounded number of layers", () => {
  const progress = new PullProgress([A, B]);
  for (let n = 0; n < 5_000; n++) progress.line("atlas", layer(`layer ${n}`, 1, 1));
  expect(progress.line("atlas", layer("layer 0", 3, 3)).overall).toMatchObject({
    total_bytes: 1_002,
    completed_bytes: 1_002,
  });
});

import { expect, test } from "vitest";
import { afterEnd, afterPullEvent, newPull, percentOf } from "../../../../dashboard/shape/pull.ts";

test("adds up the layers of a pull over its boxes and takes the final state from the last event", () => {
  const id = "0190b5a0-0000-7000-8000-00000000000a";
  let pull = newPull("phi3", ["a", "b"]);
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

test("ends a pull to several boxes when the last of them has ended", () => {
  let pull = newPull("phi3", ["a", "b"]);
  expect(Object.values(pull.boxes).map(({ status }) => status)).toEqual(["waiting", "waiting"]);
  pull = afterEnd(pull, "a", null);
  expect(pull.state).toBe("pulling");
  expect(afterEnd(pull, "b", null).state).toBe("success");
  expect(afterEnd(pull, "b", "disk full").state).toBe("error");
});

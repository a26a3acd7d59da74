/** Two models side by side. */
import { expect, test } from "vitest";
import { type ChatSide, pendingAnswer, userMessage } from "../../../../dashboard/shape/chat.ts";
import {
  announcementOf,
  queryOfSeats,
  readBy,
  seatBeside,
  seatsOf,
  turnsIn,
} from "../../../../dashboard/shape/chat-sides.ts";

const answer = (content: string, side: ChatSide, model = "m") => ({
  ...pendingAnswer(model, side),
  content,
  state: "done" as const,
});
/** The second model was added after the first message. */
const ALL = [
  userMessage("one"),
  answer("left", 0),
  userMessage("two"),
  answer("left again", 0),
  answer("right", 1),
  userMessage("three"),
];

test("a link names one model or two, each with a box or without", () => {
  for (const seats of [
    [{ model: "", box: "" }],
    [{ model: "a", box: "atlas" }],
    [
      { model: "a", box: "" },
      { model: "a", box: "borealis" },
    ],
  ]) {
    const query = Object.entries(queryOfSeats(seats)).filter(([, value]) => value !== undefined);
    expect(seatsOf(Object.fromEntries(query) as Record<string, string>)).toEqual(seats);
  }
});

test.each([
  [{ model: "a", box: "" }, ["a", "b"], [], { model: "b", box: "" }],
  [{ model: "a", box: "x" }, ["a"], ["x", "y"], { model: "a", box: "y" }],
  [{ model: "", box: "" }, ["a", "b"], ["x"], { model: "a", box: "" }],
  [{ model: "a", box: "" }, ["a"], ["x"], null],
  [{ model: "", box: "" }, [], ["x", "y"], null],
])(
  "the seat beside the first has another model, or the same on another box (%#)",
  (seat, models, boxes, beside) => {
    expect(seatBeside(seat, models, boxes)).toEqual(beside);
  },
);

test("each side reads its own answers, and before it joined, those of the other", () => {
  const read = (side: ChatSide) => readBy(ALL, side).map(({ content }) => content);
  expect(read(0)).toEqual(["one", "left", "two", "left again", "three"]);
  expect(read(1)).toEqual(["one", "left", "two", "right", "three"]);
  expect(turnsIn(ALL).map(({ answers }) => answers.length)).toEqual([1, 2, 0]);
  expect(turnsIn([answer("without a question", 0)])).toEqual([]);
});

test("announces the state of each of the last answers", () => {
  expect(announcementOf([])).toBe("");
  expect(announcementOf([...ALL, answer("x", 0, "a"), pendingAnswer("b", 1)])).toBe(
    "a has responded. b is responding.",
  );
  expect(announcementOf([userMessage("x"), { ...pendingAnswer(null), state: "stopped" }])).toBe(
    "The model: stopped.",
  );
});

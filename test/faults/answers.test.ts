/** The checker compares answers byte by byte and distinguishes every ending. */
import { expect, test } from "vitest";
import { endingOf } from "../../protocol/ending.ts";
import { Checker, MEDIA_TYPES, piecesOf, plainLengthOf, SHAPES, type Shape } from "./answers.ts";

/** Few tokens, because a test tries every byte. */
const planOf = (shape: Shape) => ({ key: "some-key", shape, tokens: 4, tokenMs: 0 });
const failure = {
  status: 504,
  code: "tunnel_lost",
  failedAt: "tunnel",
  message: "Box b was lost.",
} as const;
const apiOf = (shape: Shape) => (shape === "openai" || shape === "anthropic" ? shape : "ollama");

function verdictOf(shape: Shape, bytes: Buffer, chunk: number): string {
  const checker = new Checker(planOf(shape));
  for (let at = 0; at < bytes.length; at += chunk) checker.push(bytes.subarray(at, at + chunk));
  return checker.verdict;
}

test.each(SHAPES)(
  "%s answers that are whole, cut, wrong or end with an error are distinguished at every byte",
  (shape) => {
    const whole = Buffer.concat([...piecesOf(planOf(shape))]);
    for (const chunk of [1, 7, whole.length]) expect(verdictOf(shape, whole, chunk)).toBe("whole");
    expect(verdictOf(shape, Buffer.concat([whole, whole.subarray(0, 5)]), 64)).toBe("wrong");
    for (let at = 0; at < whole.length; at++) {
      const begun = whole.subarray(0, at);
      expect(verdictOf(shape, begun, 64), `cut at ${at}`).toBe("cut");
      const other = Buffer.from(whole);
      other[at] = (other[at] ?? 0) ^ 1;
      expect(verdictOf(shape, other, 64), `another byte at ${at}`).toBe("wrong");
      const last = endingOf(
        MEDIA_TYPES[shape],
        apiOf(shape),
        failure,
        "id",
        begun.length === 0 || begun.at(-1) === 0x0a,
      );
      if (last !== null)
        expect(verdictOf(shape, Buffer.concat([begun, last]), 64), `error at ${at}`).toBe(
          "errored",
        );
    }
  },
);

test("the length of a plain answer is known before it is generated", () => {
  for (const pieceBytes of [0, 10, 1_000]) {
    const callPlan = { ...planOf("plain"), tokens: 120, pieceBytes };
    expect(plainLengthOf(callPlan)).toBe(Buffer.concat([...piecesOf(callPlan)]).length);
  }
});

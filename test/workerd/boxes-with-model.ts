/** Boxes of one test that have the same model, and calls of it. They leave when the test ends. */
import { afterEach } from "vitest";
import { call } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";

const boxes: FakeBox[] = [];

afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

let runs = 0;

/**
 * @param names     one for each box
 * @param features  the HELLO of their agents; all of them return seals
 */
export async function boxesWithModel(
  names: readonly string[],
  features: Parameters<typeof FakeBox.connect>[2],
) {
  const run = ++runs;
  const model = `model-${run}:1b`;
  const all: FakeBox[] = [];
  for (const name of names) {
    const box = await FakeBox.connect(`${name}-${run}`, [model], {
      returns_seals: true,
      ...features,
    });
    boxes.push(box);
    all.push(box);
  }
  const [first, second] = all as [FakeBox, FakeBox];
  const ask = (path = "/ollama/api/chat", more: RequestInit = {}) =>
    call(path, { method: "POST", body: JSON.stringify({ model, messages: [] }), ...more });
  return { model, first, second, all, ask };
}

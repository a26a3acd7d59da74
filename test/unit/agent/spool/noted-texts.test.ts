import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { NotedTexts, withPart } from "../../../../agent/spool/noted-texts.ts";
import { seeded } from "../../../support/seeded.ts";
import { finished, opened } from "../../../support/spool-requests.ts";
import { newSpool, textIn } from "./scene.ts";

const state = { http_status: 200, ttft_ms: 1, completion_tokens: 1 };

test("notes only what is new, and the whole text again once parts are gone", () => {
  const texts = new NotedTexts();
  const part = (text: string) => {
    const next = texts.next("a", text);
    return next === null ? null : [next.from, next.text];
  };
  expect(["one", "one two", "one two", "<think>x</think>", "<think>xy</think>"].map(part)).toEqual([
    [0, "one"],
    [3, " two"],
    null,
    [0, "<think>x</think>"],
    [8, "y</think>"],
  ]);
  texts.clear();
  expect(part("<think>xy</think>z")).toEqual([0, "<think>xy</think>z"]);
});

test("a text whose beginning is missing is unknown, until it is noted again", () => {
  const part = (from: number, text: string) => ({ request_id: "a", from, text });
  expect(withPart(null, part(3, "x"))).toBeNull();
  expect(withPart(null, part(0, "x"))).toBe("x");
  expect(withPart("abc", part(1, "x"))).toBe("ax");
});

test("the parts of any series of texts make the last of them", () => {
  const seed = 7;
  const random = seeded(seed);
  for (let round = 0; round < 500; round++) {
    const texts = new NotedTexts();
    let [text, read]: [string, string | null] = ["", null];
    for (let step = 0; step < 20; step++) {
      const cut = random() < 0.2 ? Math.floor(random() * text.length) : text.length;
      text = text.slice(0, cut) + "añ😀b".slice(Math.floor(random() * 4));
      const part = texts.next("a", text);
      if (part !== null) read = withPart(read, JSON.parse(JSON.stringify(part)));
      expect(read, `seed ${seed}, round ${round}, step ${step}`).toBe(text);
    }
  }
});

test("a delivered text is scrubbed from the log, in all of its parts", () => {
  const { spool, folder } = newSpool();
  const [over, open] = [randomUUID(), randomUUID()];
  for (const id of [over, open]) spool.begin(opened(id));
  spool.note([{ request_id: over, ...state, response: "canary one" }]);
  spool.note([
    { request_id: over, ...state, response: "canary one canary two" },
    { request_id: open, ...state, response: "kept" },
  ]);
  spool.finish(finished(over, "canary one canary two"));
  expect(textIn(folder)).toContain("canary two");
  spool.confirm(spool.next(10)?.position ?? 0);
  spool.close();
  expect(textIn(folder)).not.toContain("canary");
  expect(textIn(folder)).toContain("kept");
});

import { expect, test } from "vitest";
import { formOfKey, keyBody, keyChange, NEW_KEY } from "../../../../dashboard/shape/key-form.ts";
import { limitTexts, restrictionTexts, rightsText } from "../../../../dashboard/shape/key-text.ts";
import { KeyPolicy } from "../../../../protocol/api/keys.ts";

const POLICY = KeyPolicy.parse({
  name: "Ada",
  scopes: ["infer", "stats"],
  models: ["qwen3:*", "llama3.2"],
  boxes: ["atlas"],
  expires_at: "2027-01-01T10:30:00.000Z",
  max_num_ctx: 8192,
  may_keep_alive: false,
  origins: ["https://chat.example.com", "app://obsidian.md"],
  priority: "low",
  limits: { parallel: 2, requests: { day: 1000 }, tokens: { month: 50_000 }, wh: { day: 2.5 } },
});

test("a key is the same after it was shown and saved", () => {
  expect(KeyPolicy.parse(keyBody(formOfKey(POLICY)))).toEqual(POLICY);
});

test("an empty form makes a key that may call every model on every box", () => {
  const body = KeyPolicy.parse(keyBody({ ...NEW_KEY, name: "Ada" }));
  expect(body).toEqual(KeyPolicy.parse({ name: "Ada", scopes: ["infer"] }));
});

test("models may be separated by commas, spaces or lines", () => {
  expect(keyBody({ ...NEW_KEY, models: " a, b\nc ,, d " }).models).toEqual(["a", "b", "c", "d"]);
});

test("only the fields that changed are sent", () => {
  const before = formOfKey(POLICY);
  expect(keyChange(before, { ...before })).toBeNull();
  expect(keyChange(before, { ...before, name: "Ada L." })).toEqual({ name: "Ada L." });
  expect(keyChange(before, { ...before, expiresAt: "" })).toEqual({ expires_at: null });
  const { counts } = NEW_KEY;
  expect(keyChange(before, { ...before, parallel: "", counts })).toEqual({ limits: null });
});

test("the edge judges what is typed, so a limit of 0 reaches it", () => {
  const counts = { ...NEW_KEY.counts, requests: { minute: "0", day: "", month: "" } };
  expect(keyBody({ ...NEW_KEY, counts }).limits).toEqual({
    parallel: null,
    requests: { minute: 0 },
  });
});

test("a text lists the rights and the limits of a key", () => {
  expect(rightsText(POLICY)).toBe("Call models, read statistics");
  expect(limitTexts(POLICY.limits)).toEqual([
    "2 at once",
    "1,000 requests a day",
    "50,000 tokens a month",
    "2.5 Wh a day",
  ]);
  expect(limitTexts(null)).toEqual([]);
  const once = { parallel: null, requests: { day: 1 }, tokens: null, wh: null, money: null };
  expect(limitTexts(once)).toEqual(["1 request a day"]);
  expect(restrictionTexts(POLICY)).toEqual([
    "context up to 8,192",
    "no keep_alive",
    "low priority",
    "pages of https://chat.example.com, app://obsidian.md",
  ]);
});

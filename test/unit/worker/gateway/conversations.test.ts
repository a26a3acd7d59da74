import { expect, test } from "vitest";
import { Conversations } from "../../../../worker/gateway/choice/conversations.ts";
import {
  openingPlace,
  placeOnRing,
  scanOpening,
} from "../../../../worker/gateway/choice/opening.ts";

const PLACE = openingPlace();

function openingOf(body: unknown) {
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return scanOpening(bytes, PLACE).opening;
}

const message = (role: string, content: unknown = "Hello") => ({ role, content });
const first = [message("system", "Be brief."), message("user", "Why is the sky blue?")];

test("the turns of a conversation have the same opening", () => {
  const { hash } = openingOf({ model: "m", messages: first });
  const later = [...first, message("assistant", "Rayleigh."), message("user", "And at night?")];
  expect(hash).toMatch(/^[0-9a-z]+$/);
  expect(openingOf({ model: "m", stream: false, messages: later }).hash).toBe(hash);
});

test.each([
  ["another system prompt", [message("system", "Be long."), first[1]]],
  ["another first message", [first[0], message("user", "Why is the sea blue?")]],
  ["parts", [first[0], message("user", [{ type: "text", text: "Why is the sky blue?" }])]],
])("a conversation with %s has another opening", (_name, messages) => {
  expect(openingOf({ messages }).hash).not.toBe(openingOf({ messages: first }).hash);
});

test.each([
  ["no messages", { prompt: "user" }],
  ["no message of a user", { messages: [message("system"), message("assistant", "user")] }],
  ["no list of messages", { messages: "user" }],
  ["a body that is not JSON", "{"],
])("finds no opening in %s", (_name, body) => {
  expect(openingOf(body).hash).toBeNull();
});

test("text of a message is not mistaken for its role", () => {
  const messages = [message("assistant", { role: "user" }), message("user")];
  const same = [message("assistant", { role: "user" }), message("user"), message("assistant")];
  expect(openingOf({ messages }).hash).toBe(openingOf({ messages: same }).hash);
  expect(openingOf({ messages: messages.slice(0, 1) }).hash).toBeNull();
});

test.each([
  [{ options: { num_ctx: 8_192 } }, 8_192],
  [{ options: { temperature: 0 } }, null],
  [{ options: { num_ctx: "8192" } }, null],
  [{ options: null }, null],
  [{ options: [8_192] }, null],
  [{ options: { num_ctx: 8_192, stop: ["x".repeat(5_000)] } }, null],
  [{}, null],
])("reads the context that %j requests", (body, numCtx) => {
  expect(openingOf(body).numCtx).toBe(numCtx);
});

test("keeps a conversation on its box for half an hour", () => {
  const conversations = new Conversations();
  conversations.served("c", "a", 500, 0);
  expect(conversations.kept("c", 800, 1_800_000)).toEqual({ box: "a", tokens: 500 });
  expect(conversations.kept("c", 800, 1_800_001)).toBeNull();
  expect(conversations.kept("other", 800, 0)).toBeNull();
  conversations.served("c", "b", 900, 1);
  expect(conversations.kept("c", 1_000, 1)).toEqual({ box: "b", tokens: 900 });
});

test("a shorter prompt with the same opening is another conversation", () => {
  const conversations = new Conversations();
  conversations.served("c", "a", 500, 0);
  expect(conversations.kept("c", 499, 0)).toBeNull();
});

test("forgets the conversations that were served longest ago", () => {
  const conversations = new Conversations();
  for (let n = 0; n < 10_000; n++) conversations.served(`${n}`, "a", 1, 0);
  conversations.served("0", "a", 2, 0);
  conversations.served("new", "a", 1, 0);
  expect(conversations.size).toBe(10_000);
  expect(conversations.kept("0", 2, 0)).not.toBeNull();
  expect(conversations.kept("1", 1, 0)).toBeNull();
});

test("spreads conversations evenly over boxes, the same everywhere", () => {
  const firsts = Array.from({ length: 3_000 }, (_, n) => {
    const boxes = ["a", "b", "c"].map((box) => ({ box, share: placeOnRing(`${n} ${box}`) }));
    return boxes.reduce((best, each) => (each.share < best.share ? each : best)).box;
  });
  for (const box of ["a", "b", "c"]) {
    const count = firsts.filter((each) => each === box).length;
    expect(Math.abs(count - 1_000)).toBeLessThan(150);
  }
});

import { expect, test } from "vitest";
import {
  afterChatEvent,
  chatBody,
  pendingAnswer,
  promptMessages,
  userMessage,
} from "../../../../dashboard/shape/chat.ts";
import { messagesOf, trimmedToStorage } from "../../../../dashboard/shape/stored-chat.ts";

const PHOTO = { name: "photo.png", type: "image/png", sizeBytes: 3, data: "QUJD" };

test("builds an answer from its events and takes the token rate from the final count", () => {
  let answer = pendingAnswer("m");
  answer = afterChatEvent(answer, { thinking: "hm" }, 0);
  answer = afterChatEvent(answer, { token: "Hel" }, 100);
  answer = afterChatEvent(answer, { token: "lo" }, 200);
  answer = afterChatEvent(
    answer,
    { done: true, completion_tokens: 40, done_reason: "stop" },
    2_000,
  );
  expect(answer).toMatchObject({
    content: "Hello",
    thinking: "hm",
    state: "done",
    tokens: 40,
    rate: 20,
  });
  expect(afterChatEvent(pendingAnswer(null), { error: "no" }, 0)).toMatchObject({
    state: "failed",
    error: "no",
  });
  expect(
    promptMessages([
      userMessage("hi"),
      { ...pendingAnswer("m"), state: "failed" },
      userMessage("again"),
    ]),
  ).toEqual([
    { role: "user", content: "hi" },
    { role: "user", content: "again" },
  ]);
});

test("limits the stored conversation and drops invalid stored messages", () => {
  const long = userMessage("x".repeat(900_000));
  expect(trimmedToStorage([long, long, userMessage("last")]).length).toBe(3);
  expect(
    trimmedToStorage([long, long, long, userMessage("last")]).map(({ content }) => content.length),
  ).toEqual([900_000, 900_000, 4]);
  expect(
    messagesOf([
      { role: "user", content: "hi" },
      { role: "root", content: "x" },
      null,
      7,
      { role: "user" },
    ]),
  ).toMatchObject([{ content: "hi", state: "done" }]);
  expect(messagesOf("{}")).toEqual([]);
});

test("stores two answers and the names of images, but no image", () => {
  const asked = {
    options: { system: "", temperature: "0", maxTokens: "" },
    box: "atlas",
    hasImages: true,
  };
  const all = [
    userMessage("What is it?", [PHOTO]),
    pendingAnswer("a", 0),
    pendingAnswer("b", 1, asked),
  ];
  const kept = messagesOf(JSON.parse(JSON.stringify(trimmedToStorage(all))));
  expect(kept).toMatchObject([
    { images: [{ ...PHOTO, data: null }] },
    { side: 0, asked: null, state: "stopped" },
    { side: 1, asked },
  ]);
  expect(promptMessages(kept)).toEqual([{ role: "user", content: "What is it?" }]);
});

test("sends images as base64 beside their text, unless the model reads none", () => {
  const messages = [userMessage("What is it?", [PHOTO])];
  const none = { system: "", temperature: "", maxTokens: "" };
  expect(chatBody(messages, "m", none)).toMatchObject({ messages: [{ images: ["QUJD"] }] });
  expect(chatBody(messages, "m", none, false)).toMatchObject({
    messages: [{ role: "user", content: "What is it?" }],
  });
  expect(JSON.stringify(chatBody(messages, "m", none, false))).not.toContain("images");
});

test("sends the system prompt first, and leaves out parameters that are empty or not valid", () => {
  const messages = [userMessage("Hello")];
  const none = { system: " ", temperature: "", maxTokens: "" };
  expect(chatBody(messages, "", none)).toEqual({ messages: [{ role: "user", content: "Hello" }] });
  const some = { system: "Be brief.", temperature: "0", maxTokens: "64" };
  expect(chatBody(messages, "m", some)).toEqual({
    model: "m",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
    ],
    temperature: 0,
    max_tokens: 64,
  });
  const invalid = chatBody(messages, "m", { system: "", temperature: "3", maxTokens: "1.5" });
  expect(Object.keys(invalid)).toEqual(["messages", "model"]);
});

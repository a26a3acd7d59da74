/** A stored request as a call for a terminal, which a shell reads back unchanged. */
import { expect, test } from "vitest";
import { curlOf, holdsPrompt, NO_PROMPT } from "../../../../dashboard/shape/curl.ts";
import { CALL_KINDS, endpointsOf } from "../../../../protocol/call-kind.ts";
import { cut } from "../../../../protocol/records.ts";

const ORIGIN = "http://127.0.0.1:8000";
const CALL = {
  endpoint: "/api/chat",
  api: "ollama",
  model: "llama3.2",
  prompt: "Why?",
  stream: true,
  key_id: null,
} as const;

/** Returns the words of a command, as a POSIX shell reads quotes. */
const wordsOf = (command: string): string[] =>
  (command.match(/(?:'[^']*'|"[^"]*"|\\'|[^\s'"\\])+/g) ?? []).map((word) =>
    word.replace(/'([^']*)'|"([^"]*)"|\\(')/g, (_, ...[single, double, escaped]) =>
      String(single ?? double ?? escaped),
    ),
  );

test("a text with quotes, dollars and line breaks arrives unchanged", () => {
  const prompt = `It's "$HOME" \`date\`\n\\ and 'more' — 🙂`;
  const args = wordsOf(curlOf({ ...CALL, prompt, key_id: "bot" }, ORIGIN) ?? "");
  expect(args.slice(0, 3)).toEqual(["curl", "-N", `${ORIGIN}/ollama/api/chat`]);
  expect(args).toContain("authorization: Bearer $API_KEY");
  expect(JSON.parse(args.at(-1) ?? "")).toEqual({
    model: "llama3.2",
    messages: [{ role: "user", content: prompt }],
  });
});

test("each API gets its own body, and streams as the request did", () => {
  const bodyOf = (rest: object) =>
    JSON.parse(wordsOf(curlOf({ ...CALL, ...rest }, ORIGIN) ?? "").at(-1) ?? "");
  expect(bodyOf({ stream: false })).toMatchObject({ stream: false });
  expect(bodyOf({ endpoint: "/v1/chat/completions", api: "openai" })).toMatchObject({
    stream: true,
  });
  expect(bodyOf({ endpoint: "/v1/embeddings", api: "openai", stream: false })).toEqual({
    model: "llama3.2",
    input: "Why?",
  });
  expect(bodyOf({ endpoint: "/v1/messages", api: "anthropic", stream: false })).toMatchObject({
    max_tokens: 1_024,
    messages: [{ content: "Why?" }],
  });
  expect(bodyOf({ endpoint: "/api/generate", prompt: null })).toMatchObject({ prompt: NO_PROMPT });
});

test("each call with a text has one; lists, changes of models and audio have none", () => {
  const has = (endpoint: string) => curlOf({ ...CALL, endpoint }, ORIGIN) !== null;
  for (const kind of CALL_KINDS)
    for (const endpoint of endpointsOf(kind))
      if (kind === "chat" || kind === "generate" || kind === "embed")
        expect([endpoint, has(endpoint)]).toEqual([endpoint, true]);
      else if (kind !== "images") expect([endpoint, has(endpoint)]).toEqual([endpoint, false]);
  expect(curlOf({ ...CALL, model: null }, ORIGIN)).toBeNull();
});

test("a prompt that was cut, or not stored, is not whole", () => {
  expect(holdsPrompt({ prompt: "Why?" })).toBe(true);
  expect(holdsPrompt({ prompt: cut("x".repeat(20), 10) })).toBe(false);
  expect(holdsPrompt({ prompt: "" })).toBe(false);
  expect(holdsPrompt({ prompt: null })).toBe(false);
});

import { expect, test } from "vitest";
import { checkBody } from "../../../protocol/body-policy.ts";
import { jsonOfBytes } from "../../../protocol/request-checks.ts";
import { matchOllamaRoute, type OllamaRoute } from "../../../protocol/routes.ts";

const routeOf = (method: string, path: string): OllamaRoute => {
  const match = matchOllamaRoute(method, path);
  if (!match.ok) throw new Error(`${method} ${path} is not on the allowlist`);
  return match.route;
};
const chat = routeOf("POST", "/api/chat");
const openai = routeOf("POST", "/v1/chat/completions");
const embed = routeOf("POST", "/api/embed");

/** Checks a body as a door does: parsed first, then held against the policy. */
function check(route: OllamaRoute, text: string) {
  const json = jsonOfBytes(new TextEncoder().encode(text));
  return json.ok ? checkBody(route, json.value) : json;
}

const ACCEPTED: [
  name: string,
  route: OllamaRoute,
  text: string,
  expected: { model: string | null; stream: boolean; sent?: string },
][] = [
  [
    "a native chat streams by default",
    chat,
    '{"model":"llama3.2"}',
    { model: "llama3.2", stream: true },
  ],
  [
    "a native chat with stream:false does not stream",
    chat,
    '{"model":"llama3.2","stream":false}',
    { model: "llama3.2", stream: false },
  ],
  [
    "an OpenAI chat streams with stream:true",
    openai,
    '{"model":"m","stream":true}',
    { model: "m", stream: true },
  ],
  [
    "an OpenAI chat does not stream by default",
    openai,
    '{"model":"m"}',
    { model: "m", stream: false },
  ],
  ["embeddings never stream", embed, '{"model":"m","stream":true}', { model: "m", stream: false }],
  ["the deprecated field name", chat, '{"name":"m"}', { model: "m", stream: true }],
  [
    "a body without a model, which Ollama itself refuses",
    chat,
    "{}",
    { model: null, stream: true },
  ],
  [
    "a duplicate key, of which the last wins here and in Ollama",
    chat,
    '{"model":"a:cloud","model":"b"}',
    { model: "b", stream: true, sent: '{"model":"b"}' },
  ],
  [
    "text in any script",
    chat,
    '{"model":"m","prompt":"žluťoučký 🐎"}',
    { model: "m", stream: true, sent: '{"model":"m","prompt":"žluťoučký 🐎"}' },
  ],
];

test.each(ACCEPTED)("accepts: %s", (_name, route, text, { model, stream, sent }) => {
  const checked = check(route, text);
  expect(checked).toMatchObject({ ok: true, body: { model, stream } });
  if (checked.ok && sent !== undefined)
    expect(new TextDecoder().decode(checked.body.bytes)).toBe(sent);
});

const REFUSED: [name: string, text: string, reason: string, message?: RegExp][] = [
  ["an empty body", "", "bad_request", /empty/],
  ["half a JSON", '{"model":', "bad_request", /not valid JSON/],
  ["an array", "[]", "bad_request", /JSON object/],
  ["a string", '"x"', "bad_request", /JSON object/],
  [
    "a model that is a number",
    '{"model":7}',
    "bad_request",
    /"model" must be a string; got number/,
  ],
  [
    "a model name of 513 characters",
    `{"model":"${"x".repeat(513)}"}`,
    "bad_request",
    /at most 512 characters; got 513/,
  ],
  [
    "a stream flag that is a string",
    '{"model":"m","stream":"yes"}',
    "bad_request",
    /"stream" must be true or false/,
  ],
  [
    "numbers that grow beyond the limit when they are re-serialised",
    `{"model":"m","x":[${"1e20,".repeat(800_000)}0]}`,
    "body_too_large",
  ],
  ["a cloud model", '{"model":"gpt-oss:120b-cloud"}', "cloud_model"],
  ["a cloud model in capitals", '{"model":"GPT-OSS:CLOUD"}', "cloud_model"],
  ["a cloud model in the deprecated field name", '{"name":"deepseek:cloud"}', "cloud_model"],
  ["a copy from a cloud model", '{"source":"deepseek:cloud","destination":"mine"}', "cloud_model"],
  ["a model made from a cloud model", '{"model":"mine","from":"deepseek:cloud"}', "cloud_model"],
  [
    "a second model in another case, which Ollama would accept",
    '{"model":"a","MODEL":"b:cloud"}',
    "bad_request",
    /must be written "model"/,
  ],
  [
    "a letter that Go folds into s",
    '{"model":"a","\u017ftream":false}',
    "bad_request",
    /must be written "stream"/,
  ],
];

test.each(REFUSED)("refuses %s", (_name, text, reason, message) => {
  const checked = check(chat, text);
  if (checked.ok) throw new Error("the body was accepted");
  expect(checked.failure.reason).toBe(reason);
  if (message !== undefined)
    expect(checked.failure).toMatchObject({ detail: expect.stringMatching(message) });
});

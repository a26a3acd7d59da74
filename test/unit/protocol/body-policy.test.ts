import { expect, test } from "vitest";
import { checkBody } from "../../../protocol/body-policy.ts";
import { matchOllamaRoute, type OllamaRoute } from "../../../protocol/routes.ts";

const routeOf = (method: string, path: string): OllamaRoute => {
  const match = matchOllamaRoute(method, path);
  if (!match.ok) throw new Error(`${method} ${path} is not on the allowlist`);
  return match.route;
};
const chat = routeOf("POST", "/api/chat");
const openai = routeOf("POST", "/v1/chat/completions");
const embed = routeOf("POST", "/api/embed");

const check = (route: OllamaRoute, text: string) =>
  checkBody(route, new TextEncoder().encode(text));

const ACCEPTED: [
  name: string,
  route: OllamaRoute,
  text: string,
  expected: { model: string | null; stream: boolean },
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
    "fields in another case, which Ollama accepts",
    chat,
    '{"Model":"m","\u017fTREAM":false}',
    { model: "m", stream: false },
  ],
  [
    "null for a field, which Ollama reads as absent",
    chat,
    '{"model":null,"name":"m","stream":null}',
    { model: "m", stream: true },
  ],
  [
    "integers beyond 2^53, and bytes behind the JSON",
    chat,
    '{"model":"m","options":{"seed":9007199254740993}} trailing',
    { model: "m", stream: true },
  ],
  [
    "full-width letters, which Ollama does not fold into a field",
    chat,
    '{"model":"m","\uff4dodel":"x:cloud"}',
    { model: "m", stream: true },
  ],
  [
    "text in any script",
    chat,
    '{"model":"m","prompt":"žluťoučký 🐎"}',
    { model: "m", stream: true },
  ],
];

test.each(ACCEPTED)("accepts unchanged: %s", (_name, route, text, { model, stream }) => {
  const bytes = new TextEncoder().encode(text);
  const checked = checkBody(route, bytes);
  expect(checked).toMatchObject({ ok: true, body: { model, stream } });
  expect(checked.ok && checked.body.bytes).toBe(bytes);
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
    "a model that occurs twice",
    '{"model":"a:cloud","model":"b"}',
    "bad_request",
    /"model" occurs twice.+Send it once/,
  ],
  [
    "a model whose key is escaped the second time",
    '{"model":"a","\\u006dodel":"b:cloud"}',
    "bad_request",
    /"model" occurs twice/,
  ],
  ["a cloud model in a field in another case", '{"Model":"x:cloud"}', "cloud_model"],
  ["a cloud model", '{"model":"gpt-oss:120b-cloud"}', "cloud_model"],
  ["a cloud model in capitals", '{"model":"GPT-OSS:CLOUD"}', "cloud_model"],
  ["a cloud model in the deprecated field name", '{"name":"deepseek:cloud"}', "cloud_model"],
  ["a copy from a cloud model", '{"source":"deepseek:cloud","destination":"mine"}', "cloud_model"],
  ["a model made from a cloud model", '{"model":"mine","from":"deepseek:cloud"}', "cloud_model"],
  [
    "a second model in another case, which Ollama would accept",
    '{"model":"a","MODEL":"b:cloud"}',
    "bad_request",
    /"model" occurs twice/,
  ],
  [
    "a second flag with a letter that Go folds into s",
    '{"stream":true,"\u017ftream":false}',
    "bad_request",
    /"stream" occurs twice/,
  ],
];

test.each(REFUSED)("refuses %s", (_name, text, reason, message) => {
  const checked = check(chat, text);
  if (checked.ok) throw new Error("the body was accepted");
  expect(checked.failure.reason).toBe(reason);
  if (message !== undefined)
    expect(checked.failure).toMatchObject({ detail: expect.stringMatching(message) });
});

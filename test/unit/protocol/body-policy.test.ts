import { expect, test } from "vitest";
import { checkBody, jsonOf } from "../../../protocol/body-policy.ts";
import { matchOllamaRoute, type OllamaRoute } from "../../../protocol/routes.ts";

const routeOf = (method: string, path: string): OllamaRoute => {
  const match = matchOllamaRoute(method, path);
  if (!match.ok) throw new Error(`${method} ${path} is not on the allowlist`);
  return match.route;
};
const chat = routeOf("POST", "/api/chat");
const openai = routeOf("POST", "/v1/chat/completions");
const embed = routeOf("POST", "/api/embed");

/** As a call's body is checked: read, then judged. */
function check(route: OllamaRoute, text: string) {
  const json = jsonOf(text);
  return json.ok ? checkBody(route, json.value) : json;
}

const TAKEN: [
  why: string,
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
    "unless it says no",
    chat,
    '{"model":"llama3.2","stream":false}',
    { model: "llama3.2", stream: false },
  ],
  [
    "an OpenAI chat streams when asked",
    openai,
    '{"model":"m","stream":true}',
    { model: "m", stream: true },
  ],
  ["and not by default", openai, '{"model":"m"}', { model: "m", stream: false }],
  ["embeddings never stream", embed, '{"model":"m","stream":true}', { model: "m", stream: false }],
  ["the deprecated name", chat, '{"name":"m"}', { model: "m", stream: true }],
  ["no model: Ollama says what is missing", chat, "{}", { model: null, stream: true }],
  [
    "a duplicate key: the last wins for us and for Ollama",
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

test.each(TAKEN)("takes %s", (_why, route, text, { model, stream, sent }) => {
  const checked = check(route, text);
  expect(checked).toMatchObject({ ok: true, body: { model, stream } });
  if (checked.ok && sent !== undefined)
    expect(new TextDecoder().decode(checked.body.bytes)).toBe(sent);
});

const REFUSED: [why: string, text: string, reason: string, what?: RegExp][] = [
  ["nothing", "", "bad_request", /empty/],
  ["half a JSON", '{"model":', "bad_request", /not JSON/],
  ["an array", "[]", "bad_request", /JSON object/],
  ["a string", '"x"', "bad_request", /JSON object/],
  ["a model that is a number", '{"model":7}', "bad_request", /"model" must be a string/],
  ["a model name without end", `{"model":"${"x".repeat(513)}"}`, "bad_request", /longer than 512/],
  [
    "a stream flag that is a string",
    '{"model":"m","stream":"yes"}',
    "bad_request",
    /"stream" must be true or false/,
  ],
  [
    "numbers that grow beyond the limit when they are written anew",
    `{"model":"m","x":[${"1e20,".repeat(800_000)}0]}`,
    "body_too_large",
  ],
  ["a cloud model", '{"model":"gpt-oss:120b-cloud"}', "cloud_model"],
  ["a cloud model in capitals", '{"model":"GPT-OSS:CLOUD"}', "cloud_model"],
  ["a cloud model by its old name", '{"name":"deepseek:cloud"}', "cloud_model"],
  ["a copy from a cloud model", '{"source":"deepseek:cloud","destination":"mine"}', "cloud_model"],
  ["a model made from a cloud model", '{"model":"mine","from":"deepseek:cloud"}', "cloud_model"],
  [
    "a second model in another case, which Ollama would take",
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

test.each(REFUSED)("refuses %s", (_why, text, reason, what) => {
  const checked = check(chat, text);
  if (checked.ok) throw new Error("it was taken");
  expect(checked.failure.reason).toBe(reason);
  if (what !== undefined)
    expect(checked.failure).toMatchObject({ what: expect.stringMatching(what) });
});

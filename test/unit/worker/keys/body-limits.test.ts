/** The limits of a key on the fields of a body, as Ollama would read them. */
import { expect, test } from "vitest";
import { type BodyLimits, limitedBody } from "../../../../worker/keys/body-limits.ts";

const NONE: BodyLimits = {
  max_num_ctx: null,
  max_num_predict: null,
  may_keep_alive: true,
  may_num_gpu: true,
};

function after(limits: Partial<BodyLimits>, body: string, endpoint = "/api/chat") {
  const limited = limitedBody({ ...NONE, ...limits }, endpoint, new TextEncoder().encode(body));
  return limited.ok
    ? [new TextDecoder().decode(limited.bytes), limited.clamped]
    : limited.failure.detail;
}

test.each<[limits: Partial<BodyLimits>, body: string, endpoint: string, why: string]>([
  [{ may_keep_alive: false }, '{"model":"m","keep_alive":0}', "/api/generate", "set keep_alive."],
  [{ may_keep_alive: false }, '{"model":"m","KEEP_ALIVE":"24h"}', "/api/chat", "set keep_alive."],
  [{ may_num_gpu: false }, '{"options":{"num_gpu":0}}', "/api/chat", "set options.num_gpu."],
  [{ max_num_ctx: 8192 }, '{"options":{"num_ctx":8193}}', "/api/chat", "at most 8192; got 8193."],
  [{ max_num_ctx: 8192 }, '{"options":{"num_ctx":"9000"}}', "/api/chat", "got 9000."],
  [{ max_num_predict: 9 }, '{"options":{"num_predict":10}}', "/api/chat", "at most 9; got 10."],
  [{ max_num_predict: 9 }, '{"options":{"num_predict":-1}}', "/api/generate", "got -1."],
  [{ max_num_predict: 9 }, '{"max_tokens":10}', "/v1/chat/completions", "max_tokens to at most 9"],
  [{ max_num_predict: 9 }, '{"max_completion_tokens":10}', "/v1/chat/completions", "got 10."],
  [{ max_num_predict: 9 }, '{"max_tokens":4096}', "/v1/messages", "got 4096."],
  [{ max_num_predict: 9 }, '{"max_output_tokens":10}', "/v1/responses", "got 10."],
  [
    { max_num_predict: 9 },
    `{"options":{"num_predict":1,"stop":["${"x".repeat(70_000)}"]}}`,
    "/api/chat",
    "65536 bytes of options.",
  ],
])("%j refuses %s at %s", (limits, body, endpoint, why) => {
  expect(after(limits, body, endpoint)).toContain(why);
});

test.each<[limits: Partial<BodyLimits>, body: string, endpoint: string]>([
  [{ may_keep_alive: false }, '{"model":"m","keep_alive":null}', "/api/chat"],
  [{ may_num_gpu: false }, '{"options":{"num_gpu":null,"seed":9007199254740993}}', "/api/chat"],
  [{ max_num_ctx: 8192 }, '{"options":{"num_ctx":8192}}', "/api/chat"],
  [{ max_num_predict: 9 }, '{"options":{"num_predict":9}}', "/api/chat"],
  [{ max_num_predict: 9 }, '{"max_tokens":9}', "/v1/completions"],
  [{ max_num_predict: 9 }, '{"input":"no answer of tokens"}', "/api/embed"],
])("%j leaves %s at %s as it was sent", (limits, body, endpoint) => {
  expect(after(limits, body, endpoint)).toEqual([body, null]);
});

test.each<[body: string, endpoint: string, sent: string, clamped: string]>([
  ['{"a":1 }', "/api/chat", '{"a":1 ,"options":{"num_predict":9}}', "num_predict=9"],
  ["{ }", "/api/generate", '{ "options":{"num_predict":9}}', "num_predict=9"],
  ['{"options":null}', "/api/chat", '{"options":{"num_predict":9}}', "num_predict=9"],
  [
    '{"options":{"seed":1,"num_predict":null},"b":[]}',
    "/api/chat",
    '{"options":{"seed":1,"num_predict":9},"b":[]}',
    "num_predict=9",
  ],
  ['{"Options":{}}', "/api/chat", '{"Options":{"num_predict":9}}', "num_predict=9"],
  ['{"a":1} behind', "/v1/completions", '{"a":1,"max_tokens":9} behind', "max_tokens=9"],
  ['{"max_tokens":null}', "/v1/messages", '{"max_tokens":9}', "max_tokens=9"],
  ['{"a":"}"}', "/v1/responses", '{"a":"}","max_output_tokens":9}', "max_output_tokens=9"],
])(
  "a body %s without a number of tokens gets that of the key at %s",
  (body, endpoint, sent, clamped) => {
    expect(after({ max_num_predict: 9 }, body, endpoint)).toEqual([sent, clamped]);
  },
);

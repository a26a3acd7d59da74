/** The listener's errors and records when Ollama fails. */
import { expect, test } from "vitest";
import type { Fault } from "../../../../simulated/faults.ts";
import { Listening } from "../../../support/listening.ts";
import { NOBODY } from "../../../support/stack.ts";
import { inFrontOf, listenForAll, listening, MODEL, messages, post, simulated } from "./scene.ts";

listenForAll();

const BROKEN = /closed the connection|aborted|hang up|ECONNRESET/;
const BREAKS: [api: string, path: string, body: object, ending: RegExp][] = [
  [
    "native",
    "/api/chat",
    { model: MODEL, messages, options: { num_predict: 9 } },
    /\n\{"error":"[^"]+"\}\n$/,
  ],
  [
    "OpenAI",
    "/v1/chat/completions",
    { model: MODEL, messages, max_tokens: 9, stream: true },
    /\n\ndata: \{"error":\{"message":"[^"]+","type":"api_error","param":null,"code":"ollama_broke"\}\}\n\n$/,
  ],
  [
    "Anthropic",
    "/v1/messages",
    { model: MODEL, messages, max_tokens: 9, stream: true },
    /\n\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error".*\n\n$/,
  ],
];

test.each(BREAKS)(
  "ends a broken answer of the %s API with an error in its own format",
  async (_api, path, body, ending) => {
    simulated.fault([{ kind: "drop", after_chunks: 3 }]);
    const answer = await post(path, body);
    simulated.fault([]);
    expect(answer).toMatchObject({ status: 200, isComplete: true });
    expect(answer.text).toMatch(ending);
    const record = await listening.recordOf(answer);
    expect(record).toMatchObject({ status: "error", failed_at: "ollama", http_status: 200 });
    expect(record.error_message).toMatch(BROKEN);
  },
);

test("cuts a broken answer of known length, which has no room for an error", () =>
  inFrontOf(
    (request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "application/x-ndjson", "content-length": "100" });
      response.write("half", () => request.socket.resetAndDestroy());
    },
    async (own) => {
      const answer = await own.call("POST", "/api/chat", '{"model":"m"}');
      expect(answer).toMatchObject({ status: 200, text: "half", isComplete: false });
      expect(await own.recordOf(answer)).toMatchObject({ status: "error", failed_at: "ollama" });
    },
  ));

const FAULTS: [name: string, fault: Fault, status: number][] = [
  [
    "an error line inside a 200",
    { kind: "error_line", after_chunks: 2, message: "the GPU is lost" },
    200,
  ],
  ["an answer without its last line", { kind: "no_terminator" }, 200],
  ["a busy Ollama", { kind: "busy" }, 503],
];

test.each(FAULTS)("records %s as one error, failed at ollama", async (_name, fault, status) => {
  simulated.fault([fault]);
  const answer = await post("/api/chat", { model: MODEL, messages });
  simulated.fault([]);
  expect(answer.status).toBe(status);
  expect(await listening.recordOf(answer)).toMatchObject({
    status: "error",
    failed_at: "ollama",
    http_status: status,
  });
});

const SHAPES: [path: string, shape: object][] = [
  ["/api/chat", { error: expect.stringContaining("Ollama does not answer on box b") }],
  [
    "/v1/chat/completions",
    {
      error: {
        message: expect.any(String),
        type: "api_error",
        param: null,
        code: "ollama_unreachable",
      },
    },
  ],
  [
    "/v1/messages",
    {
      type: "error",
      error: { type: "overloaded_error", message: expect.any(String) },
      request_id: expect.any(String),
    },
  ],
];

test.each(SHAPES)(
  "answers %s in its own error shape when Ollama is unreachable",
  async (path, shape) => {
    await using own = await Listening.start(NOBODY);
    const answer = await own.call("POST", path, JSON.stringify({ model: MODEL, messages }));
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject(shape);
    expect(answer.headers["x-failed-at"]).toBe("ollama");
    expect(await own.recordOf(answer)).toMatchObject({
      status: "error",
      failed_at: "ollama",
      http_status: 503,
      model: MODEL,
    });
  },
);

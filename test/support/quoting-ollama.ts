/**
 * An Ollama that answers with given texts, and whose errors quote them: as a message of an error, in
 * the middle of a stream, or as a stream that never ends.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { standInFacts } from "./stand-in-facts.ts";

export const QUOTING_MODEL = "quoting:latest";

/** The text of an answer, and its end. */
export type Quote = {
  text: string;
  ends: "well" | "with an error" | "broken by an error" | "never";
};

export type QuotingOllama = {
  url: string;
  /** The answer to the next call of inference. */
  next: Quote;
  close(): Promise<void>;
};

const FACTS = standInFacts(QUOTING_MODEL, "0.24.0");
const DURATIONS = {
  total_duration: 5_000_000,
  load_duration: 1_000_000,
  prompt_eval_count: 3,
  prompt_eval_duration: 1_000_000,
  eval_count: 2,
  eval_duration: 2_000_000,
};

const toolCall = (text: string) => ({
  function: { name: "look", arguments: { place: text } },
});

/** The lines of an answer: text, thinking and a tool call, each with the quote. */
const linesOf = (path: string, text: string): object[] =>
  path === "/api/generate"
    ? [{ response: text, thinking: text, done: false }]
    : [
        { message: { role: "assistant", content: text, thinking: text }, done: false },
        { message: { role: "assistant", content: "", tool_calls: [toolCall(text)] }, done: false },
      ];

const sse = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
const openAiParts = (text: string): string[] => [
  sse({ choices: [{ index: 0, delta: { role: "assistant", content: text, reasoning: text } }] }),
  sse({
    choices: [
      {
        index: 0,
        delta: {
          tool_calls: [
            {
              id: "c",
              index: 0,
              type: "function",
              function: { name: "f", arguments: `{"a":"${text}"}` },
            },
          ],
        },
        finish_reason: "tool_calls",
      },
    ],
  }),
  "data: [DONE]\n\n",
];

async function answer(
  path: string,
  { text, ends }: Quote,
  response: ServerResponse,
): Promise<void> {
  if (ends === "with an error") {
    response.writeHead(500, { "content-type": "application/json" });
    return void response.end(JSON.stringify({ error: `cannot continue after "${text}"` }));
  }
  const isNative = path.startsWith("/api/");
  response.writeHead(200, {
    "content-type": isNative ? "application/x-ndjson" : "text/event-stream",
  });
  const parts = isNative
    ? linesOf(path, text).map((line) => `${JSON.stringify({ model: QUOTING_MODEL, ...line })}\n`)
    : openAiParts(text);
  for (const part of parts) response.write(part);
  if (ends === "never") return void (await once(response, "close"));
  if (ends === "broken by an error")
    response.write(`${JSON.stringify({ error: `lost: ${text}` })}\n`);
  else if (isNative)
    response.write(
      `${JSON.stringify({ model: QUOTING_MODEL, done: true, done_reason: "stop", ...DURATIONS })}\n`,
    );
  response.end();
}

export async function startQuotingOllama(): Promise<QuotingOllama> {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    for await (const _ of request);
    const fixed = FACTS[path];
    if (fixed !== undefined) return void response.end(JSON.stringify(fixed));
    await answer(path, ollama.next, response);
  };
  const server = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy());
  });
  const ollama: QuotingOllama = {
    url: "",
    next: { text: "", ends: "well" },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ollama.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return ollama;
}

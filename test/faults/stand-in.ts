/**
 * The stand-in Ollama: a process that sends the answer a call describes, at the pace it describes,
 * and writes every call to a file before it answers. The file survives a SIGKILL.
 *
 * Arguments: the port and the file of accepted calls. `GET /written/<key>` returns the number of
 * bytes sent of an answer.
 */
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { standInFacts } from "../support/stand-in-facts.ts";
import { type CallPlan, MEDIA_TYPES, MODEL, piecesOf, plainLengthOf } from "./answers.ts";

const [port = "0", file = ""] = process.argv.slice(2);
const FACTS = standInFacts(MODEL, "0.0.0-faults");
const written = new Map<string, number>();

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = "/" } = request;
  const fixed = url.startsWith("/written/")
    ? { bytes: written.get(url.slice("/written/".length)) ?? 0 }
    : FACTS[url];
  if (fixed !== undefined) return void response.end(JSON.stringify(fixed));
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { call, stream_options } = JSON.parse(Buffer.concat(chunks).toString()) as {
    call: CallPlan;
    stream_options?: { include_usage?: boolean };
  };
  appendFileSync(file, `${call.key}\n`);
  response.writeHead(200, {
    "content-type": MEDIA_TYPES[call.shape],
    ...(call.shape === "plain" ? { "content-length": plainLengthOf(call) } : {}),
  });
  response.flushHeaders();
  const gone = once(response, "close").catch(() => {});
  const startMs = performance.now();
  let index = 0;
  let bytes = 0;
  for (const piece of piecesOf(call, stream_options?.include_usage === true)) {
    const lateMs = index++ * call.tokenMs - (performance.now() - startMs);
    if (lateMs >= 1) await sleep(lateMs);
    if (response.destroyed) return;
    bytes += piece.length;
    written.set(call.key, bytes);
    if (!response.write(piece)) await Promise.race([once(response, "drain"), gone]);
  }
  response.end();
}

const server = createServer((request, response) => {
  void answer(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 0;
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 1_024 });

/**
 * The stand-in Ollama: a process that answers with bytes prepared in advance.
 *
 * A streamed answer follows its schedule (`options.token_ms` a token). One that is late sends
 * several tokens at once instead of falling further behind, so the pace is the same for every
 * target. An uploaded blob is answered with its checksum.
 */
import { createServer, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import { standInFacts } from "../support/stand-in-facts.ts";
import {
  type AnswerPlan,
  apiOf,
  type ChatApi,
  MODEL,
  OPENAI_PATH,
  planOf,
  streamedParts,
  wholeAnswer,
} from "./answers.ts";
import { HttpMessages } from "./http-messages.ts";

/** A streamed answer as chunks, and the offset of each. */
type Wire = { bytes: Buffer; starts: number[] };

const streamHead = (type: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;
const STREAM_HEADS: Record<ChatApi, string> = {
  native: streamHead("application/x-ndjson"),
  openai: streamHead("text/event-stream"),
};

const BLOBS = "/api/blobs/";
/** The part of the chats that get an error. */
const FAILING = Number(process.argv[2] ?? 0);

const FACTS = standInFacts(MODEL, "0.0.0-bench");

const wires = new Map<string, Wire>();
const wholes = new Map<string, Buffer>();

function wireOf(tokens: number, api: ChatApi): Wire {
  const key = `${tokens} ${api}`;
  const known = wires.get(key);
  if (known !== undefined) return known;
  const chunks = streamedParts(tokens, api).map(
    (line) => `${Buffer.byteLength(line).toString(16)}\r\n${line}\r\n`,
  );
  chunks[chunks.length - 1] += "0\r\n\r\n";
  const starts: number[] = [];
  let at = 0;
  for (const chunk of chunks) {
    starts.push(at);
    at += Buffer.byteLength(chunk);
  }
  const wire = { bytes: Buffer.from(chunks.join("")), starts };
  wires.set(key, wire);
  return wire;
}

function wholeOf(tokens: number, api: ChatApi): Buffer {
  const key = `${tokens} ${api}`;
  const known = wholes.get(key) ?? Buffer.from(answerOf(wholeAnswer(tokens, api)));
  wholes.set(key, known);
  return known;
}

const answerOf = (body: string, status = "200 OK"): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function stream(socket: Socket, { tokens, tokenMs }: AnswerPlan, api: ChatApi): void {
  const { bytes, starts } = wireOf(tokens, api);
  const startMs = performance.now();
  let sent = 0;
  const write = () => {
    if (socket.destroyed) return;
    const due = Math.min(tokens, 1 + Math.floor((performance.now() - startMs) / tokenMs));
    if (due > sent)
      socket.write(bytes.subarray(starts[sent], due === tokens ? bytes.length : starts[due]));
    sent = due;
    if (sent < tokens) setTimeout(write, sent * tokenMs - (performance.now() - startMs));
  };
  socket.write(STREAM_HEADS[api]);
  write();
}

function serve(socket: Socket): void {
  let [path, body, sum] = ["", "", 0];
  const answer = () => {
    if (path.startsWith(BLOBS)) return socket.write(answerOf(String(sum), "201 Created"));
    const fact = FACTS[path];
    if (fact !== undefined) return socket.write(answerOf(JSON.stringify(fact)));
    if (path !== "/api/chat" && path !== OPENAI_PATH)
      return socket.write(answerOf(`{"error":"the stand-in has no ${path}"}`, "404 Not Found"));
    if (Math.random() < FAILING)
      return socket.write(answerOf('{"error":"made to fail"}', "500 Internal Server Error"));
    const [plan, api] = [planOf(body), apiOf(path)];
    return plan.stream ? stream(socket, plan, api) : socket.write(wholeOf(plan.tokens, api));
  };
  const messages = new HttpMessages({
    onHead: (head) => {
      path = head.split(" ", 2)[1] ?? "";
      [body, sum] = ["", 0];
    },
    onBody: (bytes) => {
      if (path.startsWith(BLOBS)) sum = crc32(bytes, sum);
      else body += bytes.toString();
    },
    onEnd: answer,
  });
  socket.setNoDelay(true);
  socket.on("data", (bytes) => messages.push(bytes));
  socket.on("error", () => {}); // the caller disconnected
}

const server = createServer(serve);
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  const address = server.address();
  process.send?.({ result: typeof address === "object" ? address?.port : undefined });
});
process.on("disconnect", () => process.exit(0));

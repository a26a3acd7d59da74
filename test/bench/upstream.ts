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
import { type AnswerPlan, MODEL, streamedLines, wholeAnswer } from "./answers.ts";
import { HttpMessages } from "./http-messages.ts";

/** A streamed answer as chunks, and the offset of each. */
type Wire = { bytes: Buffer; starts: number[] };

const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

const BLOBS = "/api/blobs/";

const FACTS = standInFacts(MODEL, "0.0.0-bench");

const wires = new Map<number, Wire>();
const wholes = new Map<number, Buffer>();

function wireOf(tokens: number): Wire {
  const known = wires.get(tokens);
  if (known !== undefined) return known;
  const chunks = streamedLines(tokens).map(
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
  wires.set(tokens, wire);
  return wire;
}

function wholeOf(tokens: number): Buffer {
  const known = wholes.get(tokens) ?? Buffer.from(answerOf(wholeAnswer(tokens)));
  wholes.set(tokens, known);
  return known;
}

const answerOf = (body: string, status = "200 OK"): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

function stream(socket: Socket, { tokens, tokenMs }: AnswerPlan): void {
  const { bytes, starts } = wireOf(tokens);
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
  socket.write(STREAM_HEAD);
  write();
}

function serve(socket: Socket): void {
  let [path, body, sum] = ["", "", 0];
  const answer = () => {
    if (path.startsWith(BLOBS)) return socket.write(answerOf(String(sum), "201 Created"));
    const fact = FACTS[path];
    if (fact !== undefined) return socket.write(answerOf(JSON.stringify(fact)));
    if (path !== "/api/chat")
      return socket.write(answerOf(`{"error":"the stand-in has no ${path}"}`, "404 Not Found"));
    const { stream: isStreamed, options } = JSON.parse(body) as {
      stream: boolean;
      options: { num_predict: number; token_ms: number };
    };
    const plan = { tokens: options.num_predict, tokenMs: options.token_ms, stream: isStreamed };
    return isStreamed ? stream(socket, plan) : socket.write(wholeOf(plan.tokens));
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

/** Requests and messages beyond the limits are refused at once, and memory does not grow. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { decodeFrames, encodeFrames, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { SUBPROTOCOL } from "../../protocol/limits.ts";
import type { Chain, Part } from "./chain.ts";
import { type Finding, promise } from "./figures.ts";
import { GROWTH_MAX_MB, Growth } from "./growth.ts";
import type { Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

const MIB = 1_024 * 1_024;

type Refusal = { subject: string; ms: number; answer: string };

/** Requests and messages beyond the limits are refused at once, and memory does not grow. */
export async function tooBig({ stage }: Setting): Promise<Finding[]> {
  await using chain = await stage.chain();
  const length = 100 * MIB;
  const post = `POST /ollama/api/chat HTTP/1.1\r\nHost: 127.0.0.1:${chain.port}\r\nUser-Agent: too-big\r\nContent-Type: application/json\r\n`;
  return [
    await refused(chain, "workerd", "413", 100, 8, () =>
      bodyRefused(
        chain,
        "100 MB of JSON with a content-length",
        `${post}Content-Length: ${length}\r\n\r\n`,
        false,
      ),
    ),
    // 40 MiB are accepted before the 41st shows that the body is too long.
    await refused(chain, "workerd", "413", 1_000, 64, () =>
      bodyRefused(
        chain,
        "100 MB of JSON in chunks",
        `${post}Transfer-Encoding: chunked\r\n\r\n`,
        true,
      ),
    ),
    await refused(chain, "workerd", "431", 100, 8, () =>
      bodyRefused(
        chain,
        "a header of 1 MB",
        `GET /ollama/api/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${"x".repeat(MIB)}\r\n\r\n`,
        false,
      ),
    ),
    await refused(chain, "workerd", "1009", 250, 40, () => messageToWorker(chain)),
    await messageToAgent(chain),
  ];
}

async function refused(
  chain: Chain,
  part: Part,
  wanted: string,
  goalMs: number,
  growthMaxMb: number,
  attempt: () => Promise<Refusal>,
): Promise<Finding> {
  await chain.callers.call("ndjson", 5, 0).ended; // warms up
  const dials = chain.proxy.count;
  const growth = new Growth(chain.part(part));
  const { subject, ms, answer } = await attempt();
  const { mb } = growth.stop();
  const problems =
    answer.includes(wanted) || answer === CLOSED ? [] : [`${subject} was answered: ${answer}`];
  if (mb > growthMaxMb) problems.push(`${part} grew by ${mb} MB`);
  if (chain.proxy.count !== dials) {
    // On a machine that stands still for seconds the tunnel is dialled again too, but not twice.
    await chain.callers.call("ndjson", 5, 0).ended;
    const dialsAgain = chain.proxy.count;
    await attempt();
    if (chain.proxy.count !== dialsAgain) problems.push("the agent's tunnel was disturbed");
  }
  const after = await chain.callers.call("ndjson", 5, 0).ended;
  if (after.outcome !== "whole")
    problems.push(`the next call ended ${after.outcome}: ${after.why}`);
  const got = `${answer.split("\r\n")[0]} after ${Math.round(ms)} ms, ${part} + ${mb} MB, ${loadNow()}`;
  const finding = promise(
    "R17",
    subject,
    `${wanted} at once (${goalMs} ms), memory flat`,
    got,
    problems,
  );
  return finding.verdict === "kept" && ms > goalMs ? { ...finding, verdict: "missed" } : finding;
}

/**
 * A response to a caller that is still sending can be lost, because the connection is reset. It
 * counts as refused.
 */
const CLOSED = "closed while the caller was sending";

/** Sends until a response arrives or the connection is closed. */
async function bodyRefused(
  { port }: Chain,
  subject: string,
  head: string,
  inChunks: boolean,
): Promise<Refusal> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}); // the connection was closed while sending
  let answer = "";
  socket.on("data", (bytes: Buffer) => {
    answer += bytes.toString("latin1");
  });
  const isOver = new Promise<void>((resolve) => {
    socket.once("data", () => resolve());
    socket.once("close", () => resolve());
  });
  let over = false;
  void isOver.then(() => {
    over = true;
  });
  const startMs = performance.now();
  socket.write(head);
  // A body with a length is refused by its head, which a caller that checks before sending can see.
  if (!inChunks) await Promise.race([isOver, sleep(1_000)]);
  const piece = Buffer.alloc(MIB, "1");
  const chunk = inChunks
    ? Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), piece, Buffer.from("\r\n")])
    : piece;
  for (let sent = 0; sent < 100 && !over && head.startsWith("POST"); sent++) {
    if (!socket.write(chunk)) await Promise.race([once(socket, "drain").catch(() => {}), isOver]);
  }
  await Promise.race([isOver, sleep(5_000)]);
  const ms = performance.now() - startMs;
  socket.destroy();
  return { subject, ms, answer: answer === "" ? CLOSED : answer };
}

const TOO_LONG = Buffer.alloc(32 * MIB + 1);

async function messageToWorker({ port }: Chain): Promise<Refusal> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/agent/connect?box=another`, SUBPROTOCOL);
  await once(socket, "open");
  const startMs = performance.now();
  const closed = once(socket, "close");
  socket.on("error", () => {});
  socket.send(TOO_LONG);
  // Resolves when the close frame arrives. workerd ends the connection itself ten seconds later.
  await until(() => socket.readyState !== WebSocket.OPEN, "the Worker closes the socket");
  const ms = performance.now() - startMs;
  socket.terminate();
  const [code] = (await closed) as [number];
  return { subject: "a message of 32 MiB + 1 to the Worker", ms, answer: String(code) };
}

/** An edge that sends an oversized message: the agent closes that socket at once and reconnects. */
async function messageToAgent(chain: Chain): Promise<Finding> {
  const subject = "a message of 32 MiB + 1 to the agent";
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  await once(server, "listening");
  const address = server.address();
  const closes: { code: number; ms: number }[] = [];
  let dials = 0;
  server.on("connection", (socket) => {
    dials++;
    socket.on("error", () => {});
    socket.on("message", (data: RawData, isBinary) => {
      if (!isBinary || decodeFrames(data as Buffer)[0]?.type !== FrameType.hello) return;
      socket.send(
        encodeFrames([
          tunnelFrame(FrameType.welcome, {
            edge_version: "0.0.0",
            now_ms: Date.now(),
            heartbeat_ms: 1_000,
          }),
        ]),
      );
      if (dials > 1) return;
      const startMs = performance.now();
      socket.once("close", (code) => closes.push({ code, ms: performance.now() - startMs }));
      socket.send(TOO_LONG);
    });
  });
  const target = chain.proxy.target;
  chain.proxy.target = typeof address === "object" && address !== null ? address.port : 0;
  const growth = new Growth(chain.part("agent"));
  chain.proxy.cut();
  await until(() => closes.length > 0 && dials > 1, "the agent refuses the message and reconnects");
  const { mb } = growth.stop();
  chain.proxy.target = target;
  chain.proxy.cut();
  for (const client of server.clients) client.terminate();
  server.close();
  await chain.untilServing();
  const [{ code, ms } = { code: 0, ms: 0 }] = closes;
  const problems = [
    ...(code === 1009 || code === 1006 ? [] : [`closed with ${code}`]),
    ...(mb > GROWTH_MAX_MB ? [`the agent grew by ${mb} MB`] : []),
  ];
  const got = `closed with ${code} after ${Math.round(ms)} ms, agent + ${mb} MB, ${loadNow()}`;
  const finding = promise("R17", subject, "closed at once (250 ms), memory flat", got, problems);
  return finding.verdict === "kept" && ms > 250 ? { ...finding, verdict: "missed" } : finding;
}

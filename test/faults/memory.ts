/** Memory is bounded: by a caller that hardly reads, and by what is too big. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { decodeFrames, encodeFrames, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { SUBPROTOCOL } from "../../protocol/limits.ts";
import type { Child } from "../bench/children.ts";
import { saidOf } from "./accounts.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { type Chain, loadNow, type Part, until } from "./stage.ts";
import type { Setting } from "./suite.ts";

export type MemoryPlan = { rounds: number; fast: number; callsPerRound: number };

const MIB = 1_024 * 1_024;
const SLOW_BYTES_PER_SECOND = 1_000;
const PIECE_BYTES = 64 * 1_024;
const PIECES_OF_A_GIGABYTE = 16 * 1_024;
/** What may lie between Ollama and a caller that does not read: one window, and the buffers of four sockets. */
const ON_THE_WAY_MAX_MB = 64;
/** Growth beyond this is no noise of an allocator any more. */
const GROWTH_MAX_MB = 64;

/** The most that a process held in RAM, above what it held at first. */
class Growth {
  readonly #child: Child;
  readonly #fromMb: number;
  #maxMb: number;
  readonly #timer: NodeJS.Timeout;

  constructor(child: Child) {
    this.#child = child;
    this.#fromMb = child.residentMb();
    this.#maxMb = this.#fromMb;
    this.#timer = setInterval(() => this.#look(), 20);
  }

  stop(): { fromMb: number; mb: number } {
    clearInterval(this.#timer);
    this.#look();
    return { fromMb: Math.round(this.#fromMb), mb: Math.round(this.#maxMb - this.#fromMb) };
  }

  #look(): void {
    this.#maxMb = Math.max(this.#maxMb, this.#child.residentMb());
  }
}

/** One caller reads 1 kB/s of a body of 1 GB, beside fast ones. */
export async function slowCaller(
  { stage, say }: Setting,
  { rounds, fast, callsPerRound }: MemoryPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers } = chain;
  const fastRound = async () => {
    let left = fast * callsPerRound;
    const before = callers.entries.length;
    await callers.load(
      fast,
      () => ({ shape: "ndjson", tokens: 100, tokenMs: 5 }),
      () => left-- <= 0,
    );
    return callers.entries.slice(before).map(({ totalMs }) => totalMs);
  };
  await fastRound(); // what is first is slower, and memory grows to what it needs
  const without: number[] = [];
  const beside: number[] = [];
  const growths: Record<"workerd" | "agent", { fromMb: number; mb: number }[]> = {
    workerd: [],
    agent: [],
  };
  let onTheWayMb = 0;
  for (let round = 0; round < rounds; round++) {
    without.push(...(await fastRound()));
    const growth = {
      workerd: new Growth(chain.part("workerd")),
      agent: new Growth(chain.part("agent")),
    };
    const slow = callers.ask("plain", PIECES_OF_A_GIGABYTE, 0, {
      pieceBytes: PIECE_BYTES,
      readBytesPerSecond: SLOW_BYTES_PER_SECOND,
    });
    await slow.nextByte(5_000);
    beside.push(...(await fastRound()));
    onTheWayMb = Math.max(onTheWayMb, (await chain.written(slow.ask.key)) / MIB);
    growths.workerd.push(growth.workerd.stop());
    growths.agent.push(growth.agent.stop());
    slow.leave();
    await slow.ended;
    say(`round ${round + 1} of ${rounds}`);
  }
  const [alone, together] = [spreadOf(without), spreadOf(beside)];
  const ratio = { p50: together.p50 / alone.p50, p99: together.p99 / alone.p99 };
  const most = (part: "workerd" | "agent") => Math.max(...growths[part].map(({ mb }) => mb));
  const problems = [...callers.wrongs];
  if (onTheWayMb > ON_THE_WAY_MAX_MB)
    problems.push(
      `Ollama had sent ${Math.round(onTheWayMb)} MB for a caller that had read next to nothing`,
    );
  for (const part of ["workerd", "agent"] as const)
    if (most(part) > GROWTH_MAX_MB) problems.push(`${part} grew by ${most(part)} MB`);
  const accounts = await chain.accounts();
  const what = `a caller of 1 kB/s on 1 GB beside ${fast} fast ones`;
  return [
    promise(
      "R12",
      what,
      "Ollama slowed, memory flat",
      `Ollama had sent ${onTheWayMb.toFixed(1)} MB; workerd ${growths.workerd[0]?.fromMb} + ${most("workerd")} MB, agent ${growths.agent[0]?.fromMb} + ${most("agent")} MB; ${saidOf(accounts)}`,
      [...problems, ...accounts.problems],
    ),
    measured(
      "R12",
      "the fast ones, beside it against without it",
      "p99 <= 1.1 x",
      `p50 ${ratio.p50.toFixed(2)} x, p99 ${ratio.p99.toFixed(2)} x (${together.said} against ${alone.said}), ${loadNow()}`,
      ratio.p99 <= 1.1,
    ),
  ];
}

type Refusal = { what: string; ms: number; said: string };

/** What is too big is refused at once, and memory stays where it was. */
export async function tooBig({ stage }: Setting): Promise<Finding[]> {
  await using chain = await stage.chain();
  const length = 100 * MIB;
  const post = `POST /ollama/api/chat HTTP/1.1\r\nHost: 127.0.0.1:${chain.port}\r\nUser-Agent: too-big\r\nContent-Type: application/json\r\n`;
  return [
    await refused(chain, "workerd", "413", 100, 8, () =>
      bodyRefused(
        chain,
        "100 MB of JSON, announced",
        `${post}Content-Length: ${length}\r\n\r\n`,
        false,
      ),
    ),
    // 16 MiB are taken before the 17th shows that it is too long.
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
  await chain.callers.ask("ndjson", 5, 0).ended; // warm
  const dials = chain.proxy.count;
  const growth = new Growth(chain.part(part));
  const { what, ms, said } = await attempt();
  const { mb } = growth.stop();
  const problems =
    said.includes(wanted) || said === CLOSED ? [] : [`${what} was answered: ${said}`];
  if (mb > growthMaxMb) problems.push(`${part} grew by ${mb} MB`);
  if (chain.proxy.count !== dials) problems.push("the agent's tunnel was disturbed");
  const after = await chain.callers.ask("ndjson", 5, 0).ended;
  if (after.outcome !== "whole")
    problems.push(`the next call ended ${after.outcome}: ${after.why}`);
  const got = `${said.split("\r\n")[0]} after ${Math.round(ms)} ms, ${part} + ${mb} MB, ${loadNow()}`;
  const finding = promise(
    "R17",
    what,
    `${wanted} at once (${goalMs} ms), memory flat`,
    got,
    problems,
  );
  return finding.verdict === "kept" && ms > goalMs ? { ...finding, verdict: "missed" } : finding;
}

/** An answer to somebody who is still sending can be lost: the connection is reset under it. Refused all the same. */
const CLOSED = "closed under the caller's hands";

/** Sends until there is an answer, or the connection is closed. */
async function bodyRefused(
  { port }: Chain,
  what: string,
  head: string,
  inChunks: boolean,
): Promise<Refusal> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}); // refused while we still send: closed under our hands
  let said = "";
  socket.on("data", (bytes: Buffer) => {
    said += bytes.toString("latin1");
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
  // What is announced is refused by its head; a caller that looks before it sends sees that.
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
  return { what, ms, said: said === "" ? CLOSED : said };
}

const TOO_LONG = Buffer.alloc(32 * MIB + 1);

async function messageToWorker({ port }: Chain): Promise<Refusal> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/agent/connect?box=another`, SUBPROTOCOL);
  await once(socket, "open");
  const startMs = performance.now();
  const closed = once(socket, "close");
  socket.on("error", () => {});
  socket.send(TOO_LONG);
  // The word that closes it. workerd ends the connection itself ten seconds later.
  await until(() => socket.readyState !== WebSocket.OPEN, "the Worker closes the socket");
  const ms = performance.now() - startMs;
  socket.terminate();
  const [code] = (await closed) as [number];
  return { what: "a message of 32 MiB + 1 to the Worker", ms, said: String(code) };
}

/** An edge that says something too long: the agent closes that socket at once, and dials again. */
async function messageToAgent(chain: Chain): Promise<Finding> {
  const what = "a message of 32 MiB + 1 to the agent";
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
  await until(() => closes.length > 0 && dials > 1, "the agent refuses it, and dials again");
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
  const finding = promise("R17", what, "closed at once (250 ms), memory flat", got, problems);
  return finding.verdict === "kept" && ms > 250 ? { ...finding, verdict: "missed" } : finding;
}

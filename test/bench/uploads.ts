/**
 * P14: the upload of one large blob, as `ollama create` sends it: its rate directly, over the floor
 * and through the whole chain, and the memory that it takes.
 *
 * The floor sends the same bytes in messages of the same size over the same two WebSocket hops. It
 * has no Ollama behind it. Each upload must have the right checksum at its other end.
 */
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { type Figure, inTurns, median, overRounds, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const MIB = 1024 * 1024;
const BYTES = 128 * MIB;
const ROUNDS = 3;
const SAMPLE_MS = 50;

const PART = Buffer.alloc(MIB, "The quick brown fox. ");
const DIGEST = `sha256:${"0".repeat(64)}`;

type Upload = { port: number; method: string; path: string };

export async function measureUploads(stage: Stage, floor: Chain, chain: Chain): Promise<Figure[]> {
  const seconds: Record<"direct" | "floor" | "chain", number[]> = {
    direct: [],
    floor: [],
    chain: [],
  };
  const path = `/api/blobs/${DIGEST}`;
  const ways = {
    direct: { port: stage.direct.port, method: "POST", path },
    floor: { port: floor.port, method: "PUT", path: "/" },
    chain: { port: chain.port, method: "POST", path: `/ollama${path}` },
  };
  // Both engines have compiled their hot code, and both processes have their working memory.
  for (const way of [ways.floor, ways.chain]) await secondsOf(way, BYTES / 4);
  const before = residentMb(chain);
  const peak = { ...before };
  const sampling = new AbortController();
  const sampled = sampleWhile(sampling.signal, () => {
    const now = residentMb(chain);
    peak.workerd = Math.max(peak.workerd, now.workerd);
    peak.agent = Math.max(peak.agent, now.agent);
  });
  const measure = (name: keyof typeof ways) => async () =>
    void seconds[name].push(await secondsOf(ways[name], BYTES));
  await inTurns(ROUNDS, {
    direct: measure("direct"),
    floor: measure("floor"),
    chain: measure("chain"),
  });
  sampling.abort();
  await sampled;
  chain.calls += 1 + ROUNDS;
  const timesOf = (name: "direct" | "floor") =>
    overRounds(
      seconds.chain.map((chainSeconds, index) => chainSeconds / (seconds[name][index] ?? 0)),
    );
  const rateOf = (name: keyof typeof ways) => Math.round(BYTES / MIB / median(seconds[name]));
  return [
    {
      id: "P14",
      name: `upload of ${BYTES / MIB} MiB, chain / floor`,
      ...timesOf("floor"),
      unit: "x",
      goal_now: { atMost: 2 },
      goal: { atMost: 2 },
      detail: {
        direct_mib_s: rateOf("direct"),
        floor_mib_s: rateOf("floor"),
        chain_mib_s: rateOf("chain"),
        workerd_mb: `${Math.round(before.workerd)}, at most ${Math.round(peak.workerd)}`,
        agent_mb: `${Math.round(before.agent)}, at most ${Math.round(peak.agent)}`,
      },
    },
    {
      id: "P14.direct",
      name: `upload of ${BYTES / MIB} MiB, chain / direct`,
      ...timesOf("direct"),
      unit: "x",
      goal_now: null,
      goal: null,
      detail: { direct_s: round(median(seconds.direct)), chain_s: round(median(seconds.chain)) },
    },
  ];
}

const residentMb = ({ workerd, agent }: Chain) => ({
  workerd: workerd.residentMb(),
  agent: agent.residentMb(),
});

async function sampleWhile(signal: AbortSignal, sample: () => void): Promise<void> {
  while (!signal.aborted) {
    sample();
    await sleep(SAMPLE_MS);
  }
}

/** Uploads that number of bytes. @throws if other bytes arrived */
async function secondsOf({ port, method, path }: Upload, bytes: number): Promise<number> {
  const startMs = performance.now();
  const upload = request({
    port,
    method,
    path,
    host: "127.0.0.1",
    headers: { "content-length": bytes },
  });
  const answered = new Promise<string>((resolve, reject) => {
    upload.once("error", reject);
    upload.once("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (more: string) => {
        text += more;
      });
      answer.once("end", () => resolve(text)).once("error", reject);
    });
  });
  let sum = 0;
  for (let sent = 0; sent < bytes; sent += PART.length) {
    sum = crc32(PART, sum);
    if (!upload.write(PART)) await Promise.race([drained(upload), answered]);
  }
  upload.end();
  const answer = await answered;
  if (answer !== String(sum))
    throw new Error(`an upload of checksum ${sum} was answered with ${answer.slice(0, 200)}`);
  return (performance.now() - startMs) / 1_000;
}

const drained = (upload: NodeJS.EventEmitter): Promise<void> =>
  new Promise((resolve) => upload.once("drain", () => resolve()));

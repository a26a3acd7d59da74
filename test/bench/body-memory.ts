/**
 * P15: the memory that one JSON body of 16 MiB takes in the edge and in the agent, by kind of body,
 * over its size.
 *
 * Each kind has processes of its own: memory that a large body once took, an engine keeps for the
 * next one. The peak is the kernel's, so no moment between two samples is missed.
 */
import { request } from "node:http";
import { MODEL } from "./answers.ts";
import { type Figure, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const MIB = 1024 * 1024;
const BYTES = 16 * MIB;
const WARM_CALLS = 20;

const HEAD = `{"model":"${MODEL}","stream":false,"options":{"num_predict":1,"token_ms":1},`;
const LEVELS = 60;

/** Kinds of bodies: a beginning, a unit that fills the body, an end, and the status of its answer. */
const KINDS = {
  text: [`${HEAD}"messages":[{"role":"user","content":"`, "The quick brown fox. ", '"}]}', 200],
  chunked: [`${HEAD}"messages":[{"role":"user","content":"`, "The quick brown fox. ", '"}]}', 200],
  deep: [
    `${HEAD}"x":[`,
    `${"[".repeat(LEVELS)}${"1,".repeat(10_000)}1${"]".repeat(LEVELS)},`,
    "1]}",
    200,
  ],
  strings: [`${HEAD}"x":[`, '"a",', '""]}', 200],
  brackets: [`${HEAD}"x":`, "[", "", 400],
} as const;
type Kind = keyof typeof KINDS;

const PARTS = ["workerd", "agent"] as const;

export async function measureBodyMemory(stage: Stage): Promise<Figure[]> {
  const growth = { workerd: new Map<Kind, number>(), agent: new Map<Kind, number>() };
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const chain = await stage.startChain(`memory-${kind}`);
    const [, , , status] = KINDS[kind];
    const isAnnounced = kind !== "chunked";
    for (let call = 0; call < WARM_CALLS; call++)
      await send(chain, bodyOf(kind, 10_000), isAnnounced, 200);
    const before = PARTS.map((part) => chain[part].beginPeak());
    await send(chain, bodyOf(kind, BYTES), isAnnounced, status);
    for (const [index, part] of PARTS.entries())
      growth[part].set(kind, chain[part].peakMb() - (before[index] ?? 0));
    await chain.stop();
  }
  return PARTS.map((part) => {
    const [worst, mb] = [...growth[part]].reduce((a, b) => (b[1] > a[1] ? b : a));
    return {
      id: part === "workerd" ? "P15" : "P15.agent",
      name: `peak memory of the ${part} for a body of 16 MiB (${worst}) / its size`,
      value: round((mb * MIB) / BYTES),
      spread: null,
      unit: "x",
      goal_now: { atMost: 2 },
      goal: { atMost: 2 },
      detail: Object.fromEntries(
        [...growth[part]].map(([kind, grown]) => [kind, `${Math.round(grown)} MB`]),
      ),
    };
  });
}

function bodyOf(kind: Kind, bytes: number): Buffer {
  if (bytes < BYTES) return Buffer.from(`${HEAD}"messages":[{"content":"${"x".repeat(bytes)}"}]}`);
  const [head, unit, end] = KINDS[kind];
  const count = Math.floor((bytes - head.length - end.length) / unit.length);
  return Buffer.from(head + unit.repeat(count) + end);
}

/** @throws if the answer has another status */
function send(chain: Chain, body: Buffer, isAnnounced: boolean, wanted: number): Promise<void> {
  chain.calls++;
  return new Promise((resolve, reject) => {
    const headers = isAnnounced ? { "content-length": body.length } : {};
    const { port, path } = chain;
    const sending = request(
      { host: "127.0.0.1", port, path, method: "POST", headers },
      (answer) => {
        answer.resume();
        answer.once("end", () => {
          if (answer.statusCode === wanted) resolve();
          else
            reject(
              new Error(
                `a body was answered with ${answer.statusCode}, not ${wanted}: ${chain.workerd.tail.join("\n")}`,
              ),
            );
        });
      },
    );
    sending.once("error", reject);
    sending.end(body);
  });
}

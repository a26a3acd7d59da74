/**
 * P13: the check of a JSON body of 16 MiB, against parsing it, in the shape that costs most. The edge
 * scans each body, and the agent scans it and finds its prompt.
 */
import { localBodyOf } from "../../agent/measure/local-body.ts";
import { checkBody } from "../../protocol/body-policy.ts";
import { matchOllamaRoute } from "../../protocol/routes.ts";
import { type Figure, inTurns, median, overRounds } from "./figures.ts";

const BYTES = 16 * 1024 * 1024;
const ROUNDS = 5;

/** Shapes of bodies: a beginning, a unit that fills the body, and an end. */
const SHAPES = {
  text: ['{"messages":[{"role":"user","content":"', "The quick brown fox. ", '"}]}'],
  czech: ['{"messages":[{"role":"user","content":"', "Žluťoučký kůň. ", '"}]}'],
  escapes: ['{"messages":[{"role":"user","content":"', "\\n\\u0041", '"}]}'],
  tokens: ['{"context":[', "12345,", "1]}"],
  digits: ['{"context":[', "1,", "1]}"],
  strings: ['{"messages":[', '"",', '""]}'],
  fields: ["{", '"stream_":1,', '"z":1}'],
} as const;
type Shape = keyof typeof SHAPES;

export async function measureBodies(): Promise<Figure[]> {
  const match = matchOllamaRoute("POST", "/api/chat");
  if (!match.ok) throw new Error("/api/chat is not on the allowlist");
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const shapes = Object.keys(SHAPES) as Shape[];
  const ratios: Record<string, number[]> = {};
  const detail: Record<string, number> = {};
  for (const shape of shapes) {
    const [head, unit, end] = SHAPES[shape];
    const count = Math.floor((BYTES - head.length - end.length) / Buffer.byteLength(unit));
    const body = Buffer.from(head + unit.repeat(count) + end);
    const costs = { edge: [] as number[], agent: [] as number[], parse: [] as number[] };
    await inTurns(ROUNDS, {
      edge: async () => {
        costs.edge.push(cpuMs(() => checkBody(match.route, body).ok));
      },
      agent: async () => {
        costs.agent.push(cpuMs(() => localBodyOf("/api/chat", true, body).body === body));
      },
      parse: async () => {
        costs.parse.push(cpuMs(() => JSON.parse(decoder.decode(body)) !== null));
      },
    });
    ratios[shape] = costs.edge.map((ms, round) => ms / (costs.parse[round] ?? 0));
    for (const part of ["edge", "agent", "parse"] as const)
      detail[`${shape}_${part}_ms`] = Math.round(median(costs[part]));
  }
  const costliest = shapes.reduce((worst, shape) =>
    median(ratios[shape] ?? []) > median(ratios[worst] ?? []) ? shape : worst,
  );
  return [
    {
      id: "P13",
      name: `check of a body of 16 MiB (${costliest}) / JSON.parse of it`,
      ...overRounds(ratios[costliest] ?? []),
      unit: "x",
      goal_now: { atMost: 2 },
      goal: { atMost: 1 },
      detail,
    },
  ];
}

/** @throws unless `act` returns true */
function cpuMs(act: () => boolean): number {
  const before = process.cpuUsage();
  if (!act()) throw new Error("a body was not accepted unchanged");
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

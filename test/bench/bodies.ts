/**
 * P13: the check of a JSON body of 16 MiB in the edge and in the agent, by kind of body, against a
 * plain loop over its bytes and against parsing it. Each part scans a body once; the agent finds its
 * prompt and its tools in that scan.
 */
import { localBodyOf } from "../../agent/measure/local-body.ts";
import { checkBody } from "../../protocol/body-policy.ts";
import { readBodyOf } from "../../protocol/body-reader.ts";
import { matchOllamaRoute } from "../../protocol/routes.ts";
import { type Figure, inTurns, median, overRounds, round } from "./figures.ts";

const BYTES = 16 * 1024 * 1024;
const ROUNDS = 5;

/** Kinds of bodies: a beginning, a unit that fills the body, and an end. */
const KINDS = {
  text: ['{"messages":[{"role":"user","content":"', "The quick brown fox. ", '"}]}'],
  czech: ['{"messages":[{"role":"user","content":"', "Žluťoučký kůň. ", '"}]}'],
  escapes: ['{"messages":[{"role":"user","content":"', "\\n\\u0041", '"}]}'],
  tokens: ['{"context":[', "12345,", "1]}"],
  digits: ['{"context":[', "1,", "1]}"],
  spaces: ['{"context":[', "1 , ", "1]}"],
  strings: ['{"messages":[', '"",', '""]}'],
  keys: ["{", '"":1,', '"z":1}'],
  fields: ["{", '"modem":1,', '"z":1}'],
  members: ['{"messages":[{', '"roles":1,', '"z":1}]}'],
  tools: ['{"tools":[{"x":"web_",', '"":1,', '"z":1}]}'],
  messages: [
    '{"messages":[',
    `{"role":"user","content":"${"hello ".repeat(26)}"},`,
    '{"role":"user"}]}',
  ],
  broken: ['{"messages":[', '"",', ""],
} as const;
type Kind = keyof typeof KINDS;

const PARTS = ["edge", "agent"] as const;

export async function measureBodies(): Promise<Figure[]> {
  const match = matchOllamaRoute("POST", "/v1/messages");
  if (!match.ok) throw new Error("/v1/messages is not on the allowlist");
  const { route } = match;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const kinds = Object.keys(KINDS) as Kind[];
  const costs = new Map<string, number[]>();
  const add = (kind: Kind, part: string, act: () => void): void => {
    costs.set(`${kind}.${part}`, [...(costs.get(`${kind}.${part}`) ?? []), cpuMs(act)]);
  };
  const of = (kind: Kind, part: string): number[] => costs.get(`${kind}.${part}`) ?? [];
  for (const kind of kinds) {
    const [head, unit, end] = KINDS[kind];
    const count = Math.floor((BYTES - head.length - end.length) / Buffer.byteLength(unit));
    const body = Buffer.from(head + unit.repeat(count) + end);
    const isAccepted = kind !== "broken";
    const check = (isOk: boolean) => {
      if (isOk !== isAccepted) throw new Error(`the body of kind ${kind} was judged wrongly`);
    };
    await inTurns(ROUNDS, {
      edge: async () => add(kind, "edge", () => check(checkBody(route, body).ok)),
      agent: async () =>
        add(kind, "agent", () => {
          const read = readBodyOf(route.path, body);
          check(localBodyOf(route.path, true, body, read).parts[0] === body && read.scan.ok);
        }),
      loop: async () =>
        add(kind, "loop", () => {
          if (sumOf(body) === 0) throw new Error("the bytes were not read");
        }),
      parse: async () => add(kind, "parse", () => check(parses(decoder, body))),
    });
  }
  return PARTS.map((part) => {
    const worst = kinds.reduce((a, b) => (median(of(b, part)) > median(of(a, part)) ? b : a));
    const loops = of(worst, "loop");
    return {
      id: part === "edge" ? "P13" : "P13.agent",
      name: `CPU of the ${part} for a body of 16 MiB (${worst}) / a loop over its bytes`,
      ...overRounds(of(worst, part).map((ms, index) => ms / (loops[index] ?? 0))),
      unit: "x",
      goal_now: { atMost: 5 },
      goal: { atMost: 5 },
      detail: Object.fromEntries([
        ["worst_ms", round(median(of(worst, part)))],
        ...kinds.map((kind) => [
          kind,
          `${Math.round(median(of(kind, part)))} ms, ${round(median(of(kind, part)) / median(of(kind, "parse")))} x JSON.parse`,
        ]),
      ]),
    };
  });
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at] ?? 0;
  return sum;
}

function parses(decoder: { decode(bytes: Uint8Array): string }, body: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(body));
    return true;
  } catch {
    return false;
  }
}

function cpuMs(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

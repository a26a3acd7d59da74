/**
 * A simulated generation: what every inference API boils down to, as in Ollama, where the
 * compatible APIs are rewritten into native chat calls.
 */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { exampleOf } from "./examples.ts";
import type { SimulatedModel } from "./models.ts";
import type { Runner } from "./runner.ts";
import { countOf, randomOf, textHash, thoughts, tokens } from "./text.ts";

export type Tool = { name: string; parameters?: unknown };
export type ToolCall = { id: string; name: string; arguments: unknown };

/** A call, whatever API it came by. */
export type PromptCall = {
  /** As the caller wrote it; answers repeat it. */
  model: string;
  /** All text of the prompt, and what follows from it. */
  prompt: string;
  images: number;
  tools: Tool[];
  /** Null: as the model likes. */
  think: boolean | null;
  /** `"json"` or a JSON schema; undefined: prose. */
  format: unknown;
  /** Exactly this many tokens; null: as many as the answer takes. */
  maxTokens: number | null;
  keepMs: number;
};

/** One step of an answer. */
export type Piece = { content?: string; thinking?: string; toolCalls?: ToolCall[] };

/** Durations in nanoseconds. */
export type Final = {
  doneReason: "stop" | "length";
  totalNs: number;
  loadNs: number;
  promptTokens: number;
  prefillNs: number;
  tokens: number;
  decodeNs: number;
};

export type Pace = { tokenMs: number; seed: number };

/** Reading a prompt token is this much quicker than writing one. */
const PREFILL_SPEEDUP = 40;
const IMAGE_TOKENS = 256;
/** What a chat template adds. */
const TEMPLATE_TOKENS = 9;

export const promptTokensOf = (call: Pick<PromptCall, "prompt" | "images">): number =>
  TEMPLATE_TOKENS + countOf(call.prompt) + call.images * IMAGE_TOKENS;

/** Loads, waits for a slot, reads the prompt and speaks. @throws when the signal aborts; then everything is given back */
export async function* generate(
  call: PromptCall,
  model: SimulatedModel,
  runner: Runner,
  { tokenMs, seed }: Pace,
  extraPrefillMs: number,
  signal: AbortSignal,
): AsyncGenerator<Piece, Final> {
  const start = now();
  await runner.load(model, signal);
  const loaded = now();
  const slot = await runner.acquire(model, call.keepMs, signal);
  try {
    const prefillStart = now();
    const promptTokens = promptTokensOf(call);
    await pause((promptTokens * tokenMs * model.pace) / PREFILL_SPEEDUP + extraPrefillMs, signal);
    const decodeStart = now();
    const plan = planOf(call, model, seed);
    let count = 0;
    for (const piece of plan.pieces) {
      count++;
      // Against the schedule, not the last token: timers are late, and lateness must not add up.
      await pause(count * tokenMs * model.pace - (now() - decodeStart) / 1e6, signal);
      yield piece;
    }
    const end = now();
    return {
      doneReason: plan.doneReason,
      totalNs: end - start,
      loadNs: loaded - start,
      promptTokens,
      prefillNs: decodeStart - prefillStart,
      tokens: Math.max(plan.tokens, count),
      decodeNs: end - decodeStart,
    };
  } finally {
    slot.release();
  }
}

type Plan = { pieces: Iterable<Piece>; tokens: number; doneReason: Final["doneReason"] };

function planOf(call: PromptCall, model: SimulatedModel, seed: number): Plan {
  const mixed = textHash(`${seed} ${model.name} ${call.prompt}`);
  const [tool] = call.tools;
  if (tool !== undefined) {
    const args = exampleOf(tool.parameters);
    const id = `call_${mixed.toString(36).padStart(8, "0").slice(0, 8)}`;
    return {
      pieces: [{ toolCalls: [{ id, name: tool.name, arguments: args }] }],
      tokens: 12 + countOf(JSON.stringify(args)),
      doneReason: "stop",
    };
  }
  if (call.format !== undefined && call.format !== "") {
    const text = JSON.stringify(
      call.format === "json" ? { answer: exampleOf({}) } : exampleOf(call.format),
    );
    const parts = text.match(/.{1,4}/gsu) ?? [];
    return {
      pieces: parts.map((content) => ({ content })),
      tokens: parts.length,
      doneReason: "stop",
    };
  }
  const count = call.maxTokens ?? 20 + Math.floor(randomOf(mixed)() * 60);
  const thinks = model.capabilities.includes("thinking") && (call.think ?? true);
  const thinkingCount = thinks ? Math.floor(count / 3) : 0;
  return {
    pieces: spoken(mixed, count, thinkingCount),
    tokens: count,
    doneReason: call.maxTokens === null ? "stop" : "length",
  };
}

function* spoken(seed: number, count: number, thinkingCount: number): Generator<Piece> {
  let left = thinkingCount;
  if (left > 0) {
    for (const thinking of thoughts(seed)) {
      yield { thinking };
      if (--left === 0) break;
    }
  }
  left = count - thinkingCount;
  for (const content of tokens(seed)) {
    if (left-- <= 0) break;
    yield { content };
  }
}

/** At least one turn of the event loop, so that leaving callers are seen. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms >= 1) await sleep(ms, undefined, { signal });
  else await turn(undefined, { signal });
}

/** Monotonic nanoseconds. */
const now = () => Number(process.hrtime.bigint());

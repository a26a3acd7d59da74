/**
 * A simulated generation, the common core of every inference API: as in Ollama, the compatible APIs
 * are translated into native chat calls.
 */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { exampleOf } from "./examples.ts";
import { TEXT_MARK } from "./marks.ts";
import { contextOf, type SimulatedModel } from "./models.ts";
import type { Runner } from "./runner.ts";
import { countOf, randomOf, textHash, thoughts, tokens } from "./text.ts";

export type Tool = { name: string; parameters?: unknown };
export type ToolCall = { id: string; name: string; arguments: unknown };

/** An inference call of any API. */
export type PromptCall = {
  /** The model as the caller wrote it; responses repeat it. */
  model: string;
  /** All text of the prompt. The answer depends on it. */
  prompt: string;
  images: number;
  tools: Tool[];
  /** Null if the model decides. */
  think: boolean | null;
  /** `"json"` or a JSON schema; undefined for prose. */
  format: unknown;
  /** The exact number of tokens; null for as many as the answer takes. */
  maxTokens: number | null;
  /** `num_ctx` of the call; absent or null for the default of the model. */
  context?: number | null;
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

/** Reading a prompt token is this many times faster than generating one. */
const PREFILL_SPEEDUP = 40;
const IMAGE_TOKENS = 256;
/** Tokens that a chat template adds. */
const TEMPLATE_TOKENS = 9;

export const promptTokensOf = (call: Pick<PromptCall, "prompt" | "images">): number =>
  TEMPLATE_TOKENS + countOf(call.prompt) + call.images * IMAGE_TOKENS;

/**
 * Loads the model, waits for a slot, reads the prompt and generates. @throws if the signal aborts;
 * the slot is released then
 */
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
  const prefillStart = now();
  // As Ollama cuts a text: the rest fills the context exactly.
  const promptTokens = Math.min(promptTokensOf(call), call.context ?? contextOf(model));
  const prefillMs = (promptTokens * tokenMs * model.pace) / PREFILL_SPEEDUP;
  let isEvaluated = false;
  try {
    await pause(prefillMs + extraPrefillMs, signal);
    isEvaluated = true;
    const decodeStart = now();
    const plan = planOf(call, model, seed);
    let count = 0;
    for (const piece of plan.pieces) {
      count++;
      // Measured against the schedule and not the last token, because timers are late and the
      // delays must not add up.
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
    // Ollama's runner looks for a caller that left only after the prompt.
    const leftMs = isEvaluated ? 0 : prefillMs - (now() - prefillStart) / 1e6;
    if (leftMs > 0) setTimeout(slot.release, leftMs).unref();
    else slot.release();
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
      call.format === "json"
        ? { answer: exampleOf({}, "", TEXT_MARK) }
        : exampleOf(call.format, "", TEXT_MARK),
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
  if (left-- > 0) yield { content: TEXT_MARK };
  let space = " ";
  for (const content of tokens(seed)) {
    if (left-- <= 0) break;
    yield { content: space + content };
    space = "";
  }
}

/** Yields to the event loop at least once, so that a disconnected caller is noticed. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms >= 1) await sleep(ms, undefined, { signal });
  else await turn(undefined, { signal });
}

/** Monotonic nanoseconds. */
const now = () => Number(process.hrtime.bigint());

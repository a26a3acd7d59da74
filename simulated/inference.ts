/**
 * Answers an inference call in the format of one API: runs the generation, passes its pieces to the
 * API's formatter, and applies a fault if one matches.
 */
import type { Exchange } from "./exchange.ts";
import type { Fault } from "./faults.ts";
import {
  type Final,
  generate,
  type Pace,
  type Piece,
  type PromptCall,
  type ToolCall,
} from "./generation.ts";
import type { SimulatedLibrary } from "./library.ts";
import type { Runner } from "./runner.ts";

export type World = {
  library: SimulatedLibrary;
  runner: Runner;
  pace: Pace;
  takeFault(path: string, model: string): Fault | null;
};

export type WholeAnswer = { content: string; thinking: string; toolCalls: ToolCall[] };

/** The format of one API. Each string is one write. */
export type AnswerFormat = {
  streams: boolean;
  contentType: string;
  headers: Record<string, string>;
  piece(piece: Piece): string[];
  final(final: Final): string[];
  whole(answer: WholeAnswer, final: Final): { contentType: string; body: string };
  /** Returns the bytes for an error of the runner in a stream that has begun. */
  broken(message: string): string[];
  /** A chunk that no parser accepts. */
  malformed(): string;
  error(exchange: Exchange, status: number, message: string): void;
};

export const BUSY = "server busy, please try again.  maximum pending requests exceeded";
const CRASHED =
  "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details";

/** @param refusal  the reason why this model cannot serve the call, if any */
export async function answer(
  exchange: Exchange,
  call: PromptCall,
  format: AnswerFormat,
  world: World,
  refusal: (capabilities: readonly string[]) => string | null,
) {
  const fault = world.takeFault(exchange.path, call.model);
  if (fault?.kind === "hang") return exchange.hang();
  if (fault?.kind === "busy") return format.error(exchange, 503, BUSY);
  const model = world.library.find(call.model);
  if (model === undefined) return format.error(exchange, 404, `model '${call.model}' not found`);
  const why = refusal(model.capabilities);
  if (why !== null) return format.error(exchange, 400, why);
  const extraPrefillMs = fault?.kind === "slow_first_token" ? fault.ms : 0;
  const pieces = generate(call, model, world.runner, world.pace, extraPrefillMs, exchange.signal);
  try {
    await (format.streams
      ? streamed(exchange, pieces, format, fault)
      : whole(exchange, pieces, format, fault));
  } finally {
    // The slot is released however the generation ended.
    await pieces.return(NOTHING);
  }
}

async function streamed(
  exchange: Exchange,
  pieces: AsyncGenerator<Piece, Final>,
  format: AnswerFormat,
  fault: Fault | null,
): Promise<void> {
  exchange.stream(format.contentType, format.headers);
  const send = async (chunks: string[]) => {
    for (const chunk of chunks) await exchange.write(chunk);
  };
  let pending = fault;
  for (let sent = 0; ; sent++) {
    const step = await pieces.next();
    if (isDue(pending, sent, step.done === true)) {
      if (pending.kind === "malformed") await send([format.malformed()]);
      else {
        if (pending.kind === "drop") return exchange.cut();
        const message = pending.message ?? CRASHED;
        if (!exchange.hasBegun) return format.error(exchange, 500, message);
        await send(format.broken(message));
        return exchange.end();
      }
      pending = null;
    }
    if (step.done) {
      if (fault?.kind !== "no_terminator") await send(format.final(step.value));
      return exchange.end();
    }
    await send(format.piece(step.value));
  }
}

async function whole(
  exchange: Exchange,
  pieces: AsyncGenerator<Piece, Final>,
  format: AnswerFormat,
  fault: Fault | null,
): Promise<void> {
  const collected: WholeAnswer = { content: "", thinking: "", toolCalls: [] };
  let step = await pieces.next();
  for (; !step.done; step = await pieces.next()) {
    collected.content += step.value.content ?? "";
    collected.thinking += step.value.thinking ?? "";
    collected.toolCalls.push(...(step.value.toolCalls ?? []));
  }
  const { contentType, body } = format.whole(collected, step.value);
  switch (fault?.kind) {
    case "error_line":
      return format.error(exchange, 500, fault.message ?? CRASHED);
    case "drop":
      return exchange.cutWithin(contentType, body);
    case "malformed":
      return exchange.send(200, contentType, body.slice(0, body.length / 2));
    default:
      return exchange.send(200, contentType, body);
  }
}

type ChunkFault = Extract<Fault, { after_chunks: number }>;

/**
 * Returns whether a fault that counts chunks applies now: at its count, or at the end of a shorter
 * answer.
 */
function isDue(fault: Fault | null, sent: number, isEnd: boolean): fault is ChunkFault {
  return fault !== null && "after_chunks" in fault && (isEnd || sent >= fault.after_chunks);
}

const NOTHING: Final = {
  doneReason: "stop",
  totalNs: 0,
  loadNs: 0,
  promptTokens: 0,
  prefillNs: 0,
  tokens: 0,
  decodeNs: 0,
};

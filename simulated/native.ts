/**
 * Ollama's own `/api/chat` and `/api/generate`: NDJSON with one object a line and times in
 * nanoseconds.
 */
import * as z from "zod";
import type { Exchange } from "./exchange.ts";
import { JSON_UTF8 } from "./exchange.ts";
import type { Final, Piece, PromptCall, ToolCall } from "./generation.ts";
import { BadBody, bodyAs, foldedBody, goJson, goTime } from "./go-json.ts";
import { type AnswerFormat, answer, type WholeAnswer, type World } from "./inference.ts";
import { keepAliveMs } from "./keep-alive.ts";
import { MARKED } from "./marks.ts";
import { textHash } from "./text.ts";

const Options = z.looseObject({
  num_ctx: z.number().nullish(),
  num_predict: z.number().nullish(),
  seed: z.number().nullish(),
});
const common = {
  model: z.string().default(""),
  stream: z.boolean().default(true),
  think: z.union([z.boolean(), z.string()]).optional(),
  format: z.unknown().optional(),
  keep_alive: z.union([z.string(), z.number()]).optional(),
  options: Options.default({}),
};
const Image = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, { error: "illegal base64 data at input byte 0" });
export const NativeTool = z.looseObject({
  function: z.looseObject({ name: z.string(), parameters: z.unknown().optional() }),
});
const Chat = z.object({
  ...common,
  messages: z
    .array(
      z.looseObject({
        role: z.string(),
        content: z.string().nullish(),
        images: z.array(Image).nullish(),
      }),
    )
    .default([]),
  tools: z.array(NativeTool).default([]),
});
const Generate = z.object({
  ...common,
  prompt: z.string().default(""),
  system: z.string().default(""),
  images: z.array(Image).default([]),
});

export async function chat(exchange: Exchange, world: World): Promise<void> {
  const body = readBody(Chat, "ChatRequest", exchange);
  if (body.model === "") return exchange.fail(400, "model is required");
  const answeredTools = body.messages.at(-1)?.role === "tool";
  const call: PromptCall = {
    ...callOf(body),
    prompt: body.messages.map(({ content }) => content ?? "").join("\n"),
    images: body.messages.reduce((sum, { images }) => sum + (images?.length ?? 0), 0),
    tools: answeredTools ? [] : body.tools.map((tool) => tool.function),
  };
  const format = nativeFormat(body.model, body.stream, {
    piece: (piece) => ({ message: messageOf(piece) }),
    end: () => ({ message: { role: "assistant", content: "" } }),
  });
  if (body.messages.length === 0)
    return loadOnly(exchange, world, call, { message: { role: "assistant", content: "" } });
  return answer(exchange, call, format, world, refusalFor(call, "chat"));
}

export async function generateText(exchange: Exchange, world: World): Promise<void> {
  const body = readBody(Generate, "GenerateRequest", exchange);
  const call: PromptCall = {
    ...callOf(body),
    prompt: `${body.system}${body.prompt}`,
    images: body.images.length,
  };
  const context = Array.from({ length: 8 }, (_, at) => textHash(`${call.prompt} ${at}`) % 128_000);
  const format = nativeFormat(body.model, body.stream, {
    piece: ({ content = "", thinking }) => ({
      response: content,
      ...(thinking ? { thinking } : {}),
    }),
    end: () => ({ response: "" }),
    more: { context },
  });
  if (body.prompt === "" && body.images.length === 0)
    return loadOnly(exchange, world, call, { response: "" });
  return answer(exchange, call, format, world, refusalFor(call, "generate"));
}

/** Returns Ollama's refusal for a model that lacks a capability. */
export const refusalFor =
  (call: Pick<PromptCall, "model" | "think">, feature: "chat" | "generate") =>
  (capabilities: readonly string[]): string | null => {
    if (!capabilities.includes("completion")) return `"${call.model}" does not support ${feature}`;
    if (call.think === true && !capabilities.includes("thinking"))
      return `"${call.model}" does not support thinking`;
    return null;
  };

/** @throws {BadBody} */
export function readBody<Schema extends z.ZodType>(
  schema: Schema,
  struct: string,
  exchange: Exchange,
): z.output<Schema> {
  const text = exchange.body.toString("utf8").trim();
  if (text === "") throw new BadBody("missing request body");
  return bodyAs(schema, struct, foldedBody(exchange.body));
}

type Common = z.output<z.ZodObject<typeof common>>;

function callOf({ model, think, format, keep_alive, options }: Common): PromptCall {
  const keepMs = keepAliveMs(keep_alive);
  if (keepMs === null) throw new BadBody(`time: invalid duration "${keep_alive}"`);
  const wanted = options.num_predict ?? 0;
  return {
    model,
    prompt: "",
    images: 0,
    tools: [],
    think: think === undefined ? null : think !== false,
    format,
    maxTokens: wanted > 0 ? wanted : null,
    context: options.num_ctx ?? null,
    keepMs,
  };
}

/** An empty prompt loads or unloads the model. The response is never streamed. */
async function loadOnly(
  exchange: Exchange,
  world: World,
  call: PromptCall,
  empty: Record<string, unknown>,
): Promise<void> {
  const model = world.library.find(call.model);
  if (model === undefined) return exchange.fail(404, `model '${call.model}' not found`);
  if (call.keepMs === 0) world.runner.unload(model.name);
  else {
    await world.runner.load(model, exchange.signal);
    (await world.runner.acquire(model, call.keepMs, exchange.signal)).release();
  }
  exchange.json(200, {
    model: call.model,
    created_at: goTime(),
    ...empty,
    done: true,
    done_reason: call.keepMs === 0 ? "unload" : "load",
  });
}

type Shape = {
  piece(piece: Piece): Record<string, unknown>;
  end(): Record<string, unknown>;
  /** The fields of the last object only. */
  more?: Record<string, unknown>;
};

function nativeFormat(model: string, streams: boolean, shape: Shape): AnswerFormat {
  const lineOf = (value: unknown) => `${goJson(value)}\n`;
  const head = () => ({ model, created_at: goTime() });
  const tail = (final: Final) => ({
    done: true,
    done_reason: final.doneReason,
    ...shape.more,
    ...metricsOf(final),
    ...MARKED,
  });
  return {
    streams,
    contentType: "application/x-ndjson",
    headers: {},
    piece: (piece) => [lineOf({ ...head(), ...shape.piece(piece), done: false })],
    final: (final) => [lineOf({ ...head(), ...shape.end(), ...tail(final) })],
    whole: (answer, final) => ({
      contentType: JSON_UTF8,
      body: goJson({ ...head(), ...shape.piece(answer), ...tail(final) }),
    }),
    broken: (message) => [lineOf({ error: message })],
    malformed: () => `{"model":"${model}","created_at":"2026-1\n`,
    error: (exchange, status, message) => exchange.fail(status, message),
  };
}

const messageOf = ({ content = "", thinking, toolCalls }: Piece | WholeAnswer) => ({
  role: "assistant",
  content,
  ...(thinking ? { thinking } : {}),
  ...(toolCalls && toolCalls.length > 0 ? { tool_calls: toolCalls.map(nativeToolCall) } : {}),
});

const nativeToolCall = ({ id, name, arguments: args }: ToolCall, index: number) => ({
  id,
  function: { index, name, arguments: args },
});

/** Go omits zeros. */
const metricsOf = (final: Final) => ({
  total_duration: final.totalNs,
  load_duration: final.loadNs,
  prompt_eval_count: final.promptTokens,
  prompt_eval_duration: final.prefillNs,
  eval_count: final.tokens,
  eval_duration: final.decodeNs,
});

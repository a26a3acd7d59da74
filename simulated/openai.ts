/**
 * The OpenAI-compatible `/v1/chat/completions` and `/v1/completions`.
 *
 * Usage follows Ollama's rules. A chat stream contains it once, after the finish chunk, and only on
 * request. A completions stream on request contains zeros in every chunk and the true numbers in
 * the last.
 */
import * as z from "zod";
import type { Exchange } from "./exchange.ts";
import { JSON_UTF8 } from "./exchange.ts";
import type { Final, Piece, PromptCall, ToolCall } from "./generation.ts";
import { BadBody, bodyAs, foldedBody, goJson } from "./go-json.ts";
import { type AnswerFormat, answer, type World } from "./inference.ts";
import { KEEP_ALIVE_MS } from "./keep-alive.ts";
import { FINGERPRINT } from "./marks.ts";
import { NativeTool, refusalFor } from "./native.ts";

const Part = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]).optional(),
});
const Message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(Part)]).nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
});
const common = {
  model: z.string().default(""),
  stream: z.boolean().default(false),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).optional(),
  max_tokens: z.number().optional(),
};
const ChatCompletions = z.object({
  ...common,
  messages: z.array(Message).default([]),
  tools: z.array(NativeTool).default([]),
  // The published clients send the newer name; Ollama itself reads only max_tokens.
  max_completion_tokens: z.number().optional(),
  reasoning_effort: z.string().optional(),
  response_format: z
    .looseObject({
      type: z.string(),
      json_schema: z.looseObject({ schema: z.unknown().optional() }).optional(),
    })
    .optional(),
});
const Completions = z.object({ ...common, prompt: z.string().default("") });

export async function chatCompletions(exchange: Exchange, world: World): Promise<void> {
  const body = bodyAs(ChatCompletions, "ChatCompletionRequest", foldedBody(exchange.body));
  if (body.messages.length === 0) throw new BadBody("[] is too short - 'messages'");
  const { text, images } = contentOf(body.messages);
  const format = body.response_format;
  const call: PromptCall = {
    model: body.model,
    prompt: text,
    images,
    tools: body.messages.at(-1)?.role === "tool" ? [] : body.tools.map((tool) => tool.function),
    think: body.reasoning_effort === undefined ? null : body.reasoning_effort !== "none",
    format:
      format?.type === "json_schema"
        ? format.json_schema?.schema
        : format?.type === "json_object"
          ? "json"
          : undefined,
    maxTokens: body.max_tokens ?? body.max_completion_tokens ?? null,
    keepMs: KEEP_ALIVE_MS,
  };
  const answerFormat = chatFormat(
    body.model,
    body.stream,
    body.stream_options?.include_usage === true,
  );
  return answer(exchange, call, answerFormat, world, refusalFor(call, "chat"));
}

export async function completions(exchange: Exchange, world: World): Promise<void> {
  const body = bodyAs(Completions, "CompletionRequest", foldedBody(exchange.body));
  const maxTokens = body.max_tokens ?? null;
  const call: PromptCall = {
    model: body.model,
    prompt: body.prompt,
    images: 0,
    tools: [],
    think: false,
    format: undefined,
    maxTokens,
    keepMs: KEEP_ALIVE_MS,
  };
  const format = completionFormat(
    body.model,
    body.stream,
    body.stream_options?.include_usage === true,
  );
  return answer(exchange, call, format, world, refusalFor(call, "generate"));
}

/**
 * Returns the text and images of messages whose content is a string or a list of parts. @throws
 * {BadBody}
 */
function contentOf(messages: z.output<typeof Message>[]): { text: string; images: number } {
  const texts: string[] = [];
  let images = 0;
  for (const { content, tool_calls } of messages) {
    if (typeof content === "string") texts.push(content);
    else if (content == null) {
      if (tool_calls == null) throw new BadBody("invalid message content type: <nil>");
    } else
      for (const part of content) {
        if (part.type === "text" && part.text !== undefined) texts.push(part.text);
        else if (part.type === "image_url" && part.image_url !== undefined) {
          checkImage(typeof part.image_url === "string" ? part.image_url : part.image_url.url);
          images++;
        } else throw new BadBody("invalid message format");
      }
  }
  return { text: texts.join("\n"), images };
}

/** @throws {BadBody} because Ollama accepts images inside the request only */
export function checkImage(url: string): void {
  if (/^https?:/.test(url))
    throw new BadBody(
      "image URLs are not currently supported, please use base64 encoded data instead",
    );
  if (!/^data:image\/(jpeg|jpg|png|webp|gif);base64,/.test(url))
    throw new BadBody("invalid image input");
}

/** An error as the middleware rewrites it, with the newline of Go's encoder at the end. */
export function openaiError(exchange: Exchange, status: number, message: string): void {
  exchange.send(status, "application/json", `${goJson(openaiErrorOf(status, message))}\n`);
}

/** An error of the middleware itself. */
export const refuseOpenai = (exchange: Exchange, message: string): void =>
  exchange.send(400, JSON_UTF8, goJson(openaiErrorOf(400, message)));

function openaiErrorOf(status: number, message: string) {
  const type =
    status === 400 ? "invalid_request_error" : status === 404 ? "not_found_error" : "api_error";
  return { error: { message, type, param: null, code: null } };
}

const usageOf = ({ promptTokens, tokens }: Final) => ({
  prompt_tokens: promptTokens,
  completion_tokens: tokens,
  total_tokens: promptTokens + tokens,
});

const event = (value: unknown) => `data: ${goJson(value)}\n\n`;
const DONE = "data: [DONE]\n\n";
const unixNow = () => Math.floor(Date.now() / 1_000);
const idOf = (prefix: string) => `${prefix}-${Math.floor(Math.random() * 999)}`;

function chatFormat(model: string, streams: boolean, includesUsage: boolean): AnswerFormat {
  const id = idOf("chatcmpl");
  const created = unixNow();
  let hasSpoken = false;
  let hasCalledTool = false;
  const head = (object: string, of = model) => ({
    id,
    object,
    created,
    model: of,
    system_fingerprint: FINGERPRINT,
  });
  const chunk = (delta: Record<string, unknown>, finish: string | null = null, of = model) => ({
    ...head("chat.completion.chunk", of),
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const role = () => (hasSpoken ? {} : { role: "assistant" });
  const delta = ({ content = "", thinking, toolCalls = [] }: Piece) => {
    const value = {
      ...role(),
      content,
      ...(thinking ? { reasoning: thinking } : {}),
      ...(toolCalls.length > 0 ? { tool_calls: toolCalls.map(openaiToolCall) } : {}),
    };
    hasSpoken = true;
    hasCalledTool ||= toolCalls.length > 0;
    return value;
  };
  const reasonOf = (final: Final) =>
    final.doneReason === "stop" && hasCalledTool ? "tool_calls" : final.doneReason;
  return {
    streams,
    contentType: "text/event-stream",
    headers: {},
    piece: (piece) => [event(chunk(delta(piece)))],
    final: (final) => [
      ...(hasSpoken ? [] : [event(chunk(delta({})))]),
      event(chunk({}, reasonOf(final))),
      ...(includesUsage
        ? [event({ ...head("chat.completion.chunk"), choices: [], usage: usageOf(final) })]
        : []),
      DONE,
    ],
    whole: ({ content, thinking, toolCalls }, final) => {
      hasCalledTool = toolCalls.length > 0;
      const message = {
        role: "assistant",
        content,
        ...(thinking ? { reasoning: thinking } : {}),
        ...(hasCalledTool ? { tool_calls: toolCalls.map(openaiToolCall) } : {}),
      };
      const choices = [{ index: 0, message, finish_reason: reasonOf(final) }];
      return {
        contentType: "application/json",
        body: `${goJson({ ...head("chat.completion"), choices, usage: usageOf(final) })}\n`,
      };
    },
    // The middleware reads the error line as an empty answer: it sends one more empty chunk and no
    // [DONE].
    broken: () => [event(chunk({ ...role(), content: "" }, null, ""))],
    malformed: () => `data: {"id":"${id}","object":"chat.comp\n\n`,
    error: openaiError,
  };
}

export const openaiToolCall = ({ id, name, arguments: args }: ToolCall, index: number) => ({
  id,
  index,
  type: "function",
  function: { name, arguments: goJson(args) },
});

function completionFormat(model: string, streams: boolean, includesUsage: boolean): AnswerFormat {
  const id = idOf("cmpl");
  const ZEROS = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  const chunk = (choices: unknown[], usage: unknown, of = model) => ({
    id,
    object: "text_completion",
    created: unixNow(),
    choices,
    model: of,
    system_fingerprint: FINGERPRINT,
    ...(includesUsage ? { usage } : {}),
  });
  const choice = (text: string, finish: string | null) => ({
    text,
    index: 0,
    finish_reason: finish,
  });
  return {
    streams,
    contentType: "text/event-stream",
    headers: {},
    piece: ({ content = "" }) => [event(chunk([choice(content, null)], ZEROS))],
    final: (final) => [
      event(chunk([choice("", final.doneReason)], ZEROS)),
      ...(includesUsage ? [event(chunk([], usageOf(final)))] : []),
      DONE,
    ],
    whole: ({ content }, final) => {
      const head = {
        id,
        object: "text_completion",
        created: unixNow(),
        model,
        system_fingerprint: FINGERPRINT,
      };
      return {
        contentType: "application/json",
        body: `${goJson({ ...head, choices: [choice(content, final.doneReason)], usage: usageOf(final) })}\n`,
      };
    },
    broken: () => [event(chunk([choice("", null)], ZEROS, ""))],
    malformed: () => `data: {"id":"${id}","object":"text_comp\n\n`,
    error: openaiError,
  };
}

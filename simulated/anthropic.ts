/**
 * The Anthropic-compatible `/v1/messages`: named events and content blocks, with an estimated usage
 * first and the true usage last.
 */
import { randomBytes } from "node:crypto";
import * as z from "zod";
import type { Exchange } from "./exchange.ts";
import { JSON_UTF8 } from "./exchange.ts";
import type { Final, Piece, PromptCall } from "./generation.ts";
import { BadBody, bodyAs, foldedBody, goJson } from "./go-json.ts";
import { type AnswerFormat, answer, type World } from "./inference.ts";
import { KEEP_ALIVE_MS } from "./keep-alive.ts";
import { MARKED } from "./marks.ts";
import { refusalFor } from "./native.ts";
import { countOf } from "./text.ts";

const Block = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  content: z.unknown().optional(),
});
type Block = z.output<typeof Block>;
const Messages = z.object({
  model: z.string().default(""),
  max_tokens: z.number().default(0),
  messages: z
    .array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(Block)]) }))
    .default([]),
  system: z.union([z.string(), z.array(Block)]).optional(),
  stream: z.boolean().default(false),
  tools: z
    .array(z.looseObject({ name: z.string(), input_schema: z.unknown().optional() }))
    .default([]),
  thinking: z.looseObject({ type: z.string() }).optional(),
});

/**
 * This API requires max_tokens, and callers send large numbers. A number above this one counts as
 * no limit.
 */
const CAP_TOKENS = 512;

export async function anthropicMessages(exchange: Exchange, world: World): Promise<void> {
  const body = bodyAs(Messages, "MessagesRequest", foldedBody(exchange.body));
  if (body.model === "") throw new BadBody("model is required");
  if (body.max_tokens <= 0) throw new BadBody("max_tokens is required and must be positive");
  if (body.messages.length === 0) throw new BadBody("messages is required");
  const blocks = body.messages.flatMap(({ content }): Block[] =>
    typeof content === "string" ? [{ type: "text", text: content, content: undefined }] : content,
  );
  const system =
    typeof body.system === "string"
      ? body.system
      : (body.system ?? []).map(({ text }) => text ?? "").join("");
  const hasToolResult = blocks.at(-1)?.type === "tool_result";
  const call: PromptCall = {
    model: body.model,
    prompt: [system, ...blocks.map(({ text }) => text ?? "")].join("\n"),
    images: blocks.filter(({ type }) => type === "image").length,
    tools: hasToolResult
      ? []
      : body.tools.map((tool) => ({ name: tool.name, parameters: tool.input_schema })),
    think: body.thinking === undefined ? null : body.thinking.type === "enabled",
    format: undefined,
    maxTokens: body.max_tokens > CAP_TOKENS ? null : body.max_tokens,
    keepMs: KEEP_ALIVE_MS,
  };
  const format = messagesFormat(body.model, body.stream, countOf(call.prompt));
  // Tools made for Anthropic ask every model to think, so Ollama does not refuse it here.
  return answer(exchange, call, format, world, refusalFor({ ...call, think: null }, "chat"));
}

export function anthropicError(exchange: Exchange, status: number, message: string): void {
  exchange.send(status, "application/json", `${goJson(errorOf(status, message))}\n`);
}

export const refuseAnthropic = (exchange: Exchange, message: string): void =>
  exchange.send(400, JSON_UTF8, goJson(errorOf(400, message)));

const ERROR_TYPES: Record<number, string> = {
  400: "invalid_request_error",
  404: "not_found_error",
  503: "overloaded_error",
};
const idOf = (prefix: string) => `${prefix}_${randomBytes(12).toString("hex")}`;
const errorOf = (status: number, message: string) => ({
  type: "error",
  error: { type: ERROR_TYPES[status] ?? "api_error", message },
  request_id: idOf("req"),
});

const stopReasonOf = (final: Final, hasTools: boolean) =>
  hasTools ? "tool_use" : final.doneReason === "length" ? "max_tokens" : "end_turn";

type Named = { type: string } & Record<string, unknown>;
type BlockKind = "thinking" | "text";

function messagesFormat(model: string, streams: boolean, estimatedTokens: number): AnswerFormat {
  const id = idOf("msg");
  const encoded = (events: Named[]) =>
    events.map((event) => `event: ${event.type}\ndata: ${goJson(event)}\n\n`);
  let hasBegun = false;
  let hasTools = false;
  let index = 0;
  let open: BlockKind | null = null;

  const begin = (): Named[] => {
    if (hasBegun) return [];
    hasBegun = true;
    const message = {
      id,
      type: "message",
      role: "assistant",
      model,
      content: [],
      usage: { input_tokens: estimatedTokens, output_tokens: 0 },
      ...MARKED,
    };
    return [{ type: "message_start", message }];
  };
  const close = (): Named[] => {
    if (open === null) return [];
    open = null;
    return [{ type: "content_block_stop", index: index++ }];
  };
  const delta = (kind: BlockKind, text: string | undefined): Named[] => {
    if (!text) return [];
    const events =
      open === kind
        ? []
        : [
            ...close(),
            { type: "content_block_start", index, content_block: { type: kind, [kind]: "" } },
          ];
    open = kind;
    return [
      ...events,
      { type: "content_block_delta", index, delta: { type: `${kind}_delta`, [kind]: text } },
    ];
  };
  const tools = ({ toolCalls = [] }: Piece): Named[] =>
    toolCalls.flatMap(({ id: callId, name, arguments: args }) => {
      const events = [
        ...close(),
        {
          type: "content_block_start",
          index,
          content_block: { type: "tool_use", id: callId, name, input: {} },
        },
        {
          type: "content_block_delta",
          index,
          delta: { type: "input_json_delta", partial_json: goJson(args) },
        },
        { type: "content_block_stop", index },
      ];
      index++;
      hasTools = true;
      return events;
    });

  return {
    streams,
    contentType: "text/event-stream",
    headers: { "cache-control": "no-cache" },
    piece: (piece) =>
      encoded([
        ...begin(),
        ...delta("thinking", piece.thinking),
        ...delta("text", piece.content),
        ...tools(piece),
      ]),
    final: (final) =>
      encoded([
        ...begin(),
        ...close(),
        {
          type: "message_delta",
          delta: { stop_reason: stopReasonOf(final, hasTools) },
          usage: { input_tokens: final.promptTokens, output_tokens: final.tokens },
        },
        { type: "message_stop" },
      ]),
    whole: ({ content, thinking, toolCalls }, final) => {
      const blocks = [
        ...(thinking ? [{ type: "thinking", thinking }] : []),
        ...(content ? [{ type: "text", text: content }] : []),
        ...toolCalls.map(({ id: callId, name, arguments: input }) => ({
          type: "tool_use",
          id: callId,
          name,
          input,
        })),
      ];
      const body = {
        id,
        type: "message",
        role: "assistant",
        model,
        content: blocks,
        stop_reason: stopReasonOf(final, toolCalls.length > 0),
        usage: { input_tokens: final.promptTokens, output_tokens: final.tokens },
        ...MARKED,
      };
      return { contentType: "application/json", body: `${goJson(body)}\n` };
    },
    // The middleware does not translate this error: the stream ends without message_stop.
    broken: () => encoded(begin()),
    malformed: () => 'event: content_block_delta\ndata: {"type":"content_blo\n\n',
    error: anthropicError,
  };
}

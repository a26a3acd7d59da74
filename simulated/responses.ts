/** The OpenAI-compatible `/v1/responses`: a document that is built event by event. */
import { z } from "zod";
import type { Exchange } from "./exchange.ts";
import type { Final, Piece, PromptCall } from "./generation.ts";
import { bodyAs, foldedBody, goJson } from "./go-json.ts";
import { answer, type Voice, type World } from "./inference.ts";
import { KEEP_ALIVE_MS } from "./keep-alive.ts";
import { refusalFor } from "./native.ts";
import { checkImage, openaiError } from "./openai.ts";

const Part = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  image_url: z.string().optional(),
});
const Item = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  content: z.union([z.string(), z.array(Part)]).nullish(),
});
const Request = z.object({
  model: z.string().default(""),
  input: z.union([z.string(), z.array(Item)]).default(""),
  instructions: z.string().optional(),
  max_output_tokens: z.number().optional(),
  stream: z.boolean().default(false),
  tools: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string().default(""),
        parameters: z.unknown().optional(),
      }),
    )
    .default([]),
  reasoning: z.looseObject({ effort: z.string().nullish() }).default({}),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  text: z
    .looseObject({
      format: z.looseObject({ type: z.string(), schema: z.unknown().optional() }).optional(),
    })
    .optional(),
});
type Request = z.output<typeof Request>;

export async function openaiResponses(exchange: Exchange, world: World): Promise<void> {
  const body = bodyAs(Request, "ResponsesRequest", foldedBody(exchange.body));
  const items = typeof body.input === "string" ? [{ content: body.input }] : body.input;
  const parts = items.flatMap(({ content }) =>
    typeof content === "string" ? [{ type: "input_text", text: content }] : (content ?? []),
  );
  const images = parts.filter(({ type }) => type === "input_image");
  for (const { image_url } of images) if (image_url !== undefined) checkImage(image_url);
  const isToolAnswered =
    typeof body.input !== "string" && body.input.at(-1)?.type === "function_call_output";
  const effort = body.reasoning.effort ?? null;
  const call: PromptCall = {
    model: body.model,
    prompt: [body.instructions ?? "", ...parts.map(({ text }) => text ?? "")].join("\n"),
    images: images.length,
    tools: isToolAnswered ? [] : body.tools.filter(({ type }) => type === "function"),
    think: effort === null ? null : effort !== "none",
    format: body.text?.format?.type === "json_schema" ? body.text.format.schema : undefined,
    maxTokens: body.max_output_tokens ?? null,
    keepMs: KEEP_ALIVE_MS,
  };
  return answer(exchange, call, responsesVoice(body), world, refusalFor(call, "chat"));
}

const idOf = (prefix: string) => `${prefix}_${Math.floor(Math.random() * 999_999)}`;
const textPart = (text: string) => ({ type: "output_text", text, annotations: [], logprobs: [] });

type OutputItem = { id: string; type: string } & Record<string, unknown>;

function responsesVoice(request: Request): Voice {
  const id = idOf("resp");
  const messageId = idOf("msg");
  const output: OutputItem[] = [];
  let sequence = 0;
  let hasBegun = false;
  let text: string | null = null;
  let thinking: string | null = null;
  let thinkingId = "";

  const say = (type: string, fields: Record<string, unknown>) =>
    `event: ${type}\ndata: ${goJson({ ...fields, sequence_number: sequence++, type })}\n\n`;
  const here = () => ({ output_index: output.length });
  const message = (content: unknown[], status: string): OutputItem => ({
    id: messageId,
    type: "message",
    status,
    role: "assistant",
    content,
  });
  const begin = () => {
    if (hasBegun) return [];
    hasBegun = true;
    const response = responseOf(request, id, "in_progress", [], null);
    return [say("response.created", { response }), say("response.in_progress", { response })];
  };
  const done = (item: OutputItem) => {
    const said = say("response.output_item.done", { ...here(), item });
    output.push(item);
    return said;
  };
  const think = (delta: string | undefined) => {
    if (!delta) return [];
    const said: string[] = [];
    if (thinking === null) {
      thinkingId = idOf("rs");
      said.push(
        say("response.output_item.added", {
          ...here(),
          item: { id: thinkingId, type: "reasoning", summary: [] },
        }),
      );
    }
    thinking = (thinking ?? "") + delta;
    return [
      ...said,
      say("response.reasoning_summary_text.delta", {
        item_id: thinkingId,
        ...here(),
        summary_index: 0,
        delta,
      }),
    ];
  };
  const endThinking = () => {
    if (thinking === null) return [];
    const item = reasoningItem(thinkingId, thinking);
    const said = [
      say("response.reasoning_summary_text.done", {
        item_id: thinkingId,
        ...here(),
        summary_index: 0,
        text: thinking,
      }),
      done(item),
    ];
    thinking = null;
    return said;
  };
  const speak = (delta: string | undefined) => {
    if (!delta) return [];
    const said = endThinking();
    if (text === null) {
      said.push(say("response.output_item.added", { ...here(), item: message([], "in_progress") }));
      said.push(
        say("response.content_part.added", {
          item_id: messageId,
          ...here(),
          content_index: 0,
          part: textPart(""),
        }),
      );
    }
    text = (text ?? "") + delta;
    said.push(
      say("response.output_text.delta", {
        item_id: messageId,
        ...here(),
        content_index: 0,
        delta,
        logprobs: [],
      }),
    );
    return said;
  };
  const endText = () => {
    if (text === null) return [];
    const at = { item_id: messageId, ...here(), content_index: 0 };
    return [
      say("response.output_text.done", { ...at, text, logprobs: [] }),
      say("response.content_part.done", { ...at, part: textPart(text) }),
      done(message([textPart(text)], "completed")),
    ];
  };
  const callTools = ({ toolCalls = [] }: Piece) =>
    toolCalls.flatMap(({ id: callId, name, arguments: args }) => {
      const said = endThinking();
      const item = toolItem(idOf("fc"), callId, name, goJson(args));
      said.push(
        say("response.output_item.added", {
          ...here(),
          item: { ...item, status: "in_progress", arguments: "" },
        }),
      );
      said.push(
        say("response.function_call_arguments.delta", {
          item_id: item.id,
          ...here(),
          delta: goJson(args),
        }),
      );
      said.push(
        say("response.function_call_arguments.done", {
          item_id: item.id,
          ...here(),
          arguments: goJson(args),
        }),
      );
      said.push(done(item));
      return said;
    });

  return {
    streams: request.stream,
    contentType: "text/event-stream",
    headers: { "cache-control": "no-cache" },
    piece: (piece) => [
      ...begin(),
      ...think(piece.thinking),
      ...callTools(piece),
      ...speak(piece.content),
    ],
    final: (final) => [
      ...begin(),
      ...endThinking(),
      ...endText(),
      say("response.completed", {
        response: responseOf(request, id, "completed", output, usageOf(final)),
      }),
    ],
    whole: (answer, final) => {
      const items: OutputItem[] =
        answer.thinking === "" ? [] : [reasoningItem(`rs_${id}`, answer.thinking)];
      if (answer.toolCalls.length === 0)
        items.push(message([textPart(answer.content)], "completed"));
      for (const [at, tool] of answer.toolCalls.entries())
        items.push(toolItem(`fc_${id}_${at}`, tool.id, tool.name, goJson(tool.arguments)));
      const body = responseOf(request, id, "completed", items, usageOf(final));
      return { contentType: "application/json", body: `${goJson(body)}\n` };
    },
    // An error line reads as an empty answer: nothing is said, and response.completed never comes.
    broken: () => begin(),
    malformed: () => 'event: response.output_text.delta\ndata: {"content_index":0,"de\n\n',
    error: openaiError,
  };
}

const reasoningItem = (id: string, text: string): OutputItem => ({
  id,
  type: "reasoning",
  summary: [{ type: "summary_text", text }],
  encrypted_content: text,
});

const toolItem = (id: string, callId: string, name: string, args: string): OutputItem => ({
  id,
  type: "function_call",
  status: "completed",
  call_id: callId,
  name,
  arguments: args,
});

const usageOf = ({ promptTokens, tokens }: Final) => ({
  input_tokens: promptTokens,
  output_tokens: tokens,
  total_tokens: promptTokens + tokens,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens_details: { reasoning_tokens: 0 },
});

function responseOf(
  request: Request,
  id: string,
  status: "in_progress" | "completed",
  output: OutputItem[],
  usage: object | null,
) {
  const now = Math.floor(Date.now() / 1_000);
  return {
    id,
    object: "response",
    created_at: now,
    completed_at: status === "completed" ? now : null,
    status,
    incomplete_details: null,
    model: request.model,
    previous_response_id: null,
    instructions: request.instructions ?? null,
    output: [...output],
    error: null,
    tools: request.tools,
    tool_choice: "auto",
    truncation: "disabled",
    parallel_tool_calls: true,
    text: { format: request.text?.format ?? { type: "text" } },
    top_p: request.top_p ?? 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    top_logprobs: 0,
    temperature: request.temperature ?? 1,
    reasoning: request.reasoning.effort ? { effort: request.reasoning.effort } : null,
    usage,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: null,
    store: false,
    background: false,
    service_tier: "default",
    metadata: {},
    safety_identifier: null,
    prompt_cache_key: null,
  };
}

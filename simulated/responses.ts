/** The OpenAI-compatible `/v1/responses`, which streams its document event by event. */
import type { Exchange } from "./exchange.ts";
import type { Piece, PromptCall } from "./generation.ts";
import { bodyAs, foldedBody, goJson } from "./go-json.ts";
import { type AnswerFormat, answer, type World } from "./inference.ts";
import { KEEP_ALIVE_MS } from "./keep-alive.ts";
import { refusalFor } from "./native.ts";
import { checkImage, openaiError } from "./openai.ts";
import {
  type OutputItem,
  ResponsesRequest,
  reasoningItem,
  responseOf,
  responseUsageOf,
  textPart,
  toolItem,
} from "./responses-document.ts";

export async function openaiResponses(exchange: Exchange, world: World): Promise<void> {
  const body = bodyAs(ResponsesRequest, "ResponsesRequest", foldedBody(exchange.body));
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
  return answer(exchange, call, responsesFormat(body), world, refusalFor(call, "chat"));
}

const idOf = (prefix: string) => `${prefix}_${Math.floor(Math.random() * 999_999)}`;
function responsesFormat(request: ResponsesRequest): AnswerFormat {
  const id = idOf("resp");
  const messageId = idOf("msg");
  const output: OutputItem[] = [];
  let sequence = 0;
  let hasBegun = false;
  let text: string | null = null;
  let thinking: string | null = null;
  let thinkingId = "";

  const event = (type: string, fields: Record<string, unknown>) =>
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
    return [event("response.created", { response }), event("response.in_progress", { response })];
  };
  const done = (item: OutputItem) => {
    const events = event("response.output_item.done", { ...here(), item });
    output.push(item);
    return events;
  };
  const think = (delta: string | undefined) => {
    if (!delta) return [];
    const events: string[] = [];
    if (thinking === null) {
      thinkingId = idOf("rs");
      events.push(
        event("response.output_item.added", {
          ...here(),
          item: { id: thinkingId, type: "reasoning", summary: [] },
        }),
      );
    }
    thinking = (thinking ?? "") + delta;
    return [
      ...events,
      event("response.reasoning_summary_text.delta", {
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
    const events = [
      event("response.reasoning_summary_text.done", {
        item_id: thinkingId,
        ...here(),
        summary_index: 0,
        text: thinking,
      }),
      done(item),
    ];
    thinking = null;
    return events;
  };
  const speak = (delta: string | undefined) => {
    if (!delta) return [];
    const events = endThinking();
    if (text === null) {
      events.push(
        event("response.output_item.added", { ...here(), item: message([], "in_progress") }),
      );
      events.push(
        event("response.content_part.added", {
          item_id: messageId,
          ...here(),
          content_index: 0,
          part: textPart(""),
        }),
      );
    }
    text = (text ?? "") + delta;
    events.push(
      event("response.output_text.delta", {
        item_id: messageId,
        ...here(),
        content_index: 0,
        delta,
        logprobs: [],
      }),
    );
    return events;
  };
  const endText = () => {
    if (text === null) return [];
    const at = { item_id: messageId, ...here(), content_index: 0 };
    return [
      event("response.output_text.done", { ...at, text, logprobs: [] }),
      event("response.content_part.done", { ...at, part: textPart(text) }),
      done(message([textPart(text)], "completed")),
    ];
  };
  const callTools = ({ toolCalls = [] }: Piece) =>
    toolCalls.flatMap(({ id: callId, name, arguments: args }) => {
      const events = endThinking();
      const item = toolItem(idOf("fc"), callId, name, goJson(args));
      events.push(
        event("response.output_item.added", {
          ...here(),
          item: { ...item, status: "in_progress", arguments: "" },
        }),
      );
      events.push(
        event("response.function_call_arguments.delta", {
          item_id: item.id,
          ...here(),
          delta: goJson(args),
        }),
      );
      events.push(
        event("response.function_call_arguments.done", {
          item_id: item.id,
          ...here(),
          arguments: goJson(args),
        }),
      );
      events.push(done(item));
      return events;
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
      event("response.completed", {
        response: responseOf(request, id, "completed", output, responseUsageOf(final)),
      }),
    ],
    whole: (answer, final) => {
      const items: OutputItem[] =
        answer.thinking === "" ? [] : [reasoningItem(`rs_${id}`, answer.thinking)];
      if (answer.toolCalls.length === 0)
        items.push(message([textPart(answer.content)], "completed"));
      for (const [at, tool] of answer.toolCalls.entries())
        items.push(toolItem(`fc_${id}_${at}`, tool.id, tool.name, goJson(tool.arguments)));
      const body = responseOf(request, id, "completed", items, responseUsageOf(final));
      return { contentType: "application/json", body: `${goJson(body)}\n` };
    },
    // The middleware reads an error line as an empty answer: it sends nothing, and
    // response.completed is missing.
    broken: () => begin(),
    malformed: () => 'event: response.output_text.delta\ndata: {"content_index":0,"de\n\n',
    error: openaiError,
  };
}

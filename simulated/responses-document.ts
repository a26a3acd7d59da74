/** The JSON documents of `/v1/responses`: the request, and the response with its output items. */
import * as z from "zod";
import type { Final } from "./generation.ts";

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
export const ResponsesRequest = z.object({
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
export type ResponsesRequest = z.output<typeof ResponsesRequest>;

export const textPart = (text: string) => ({
  type: "output_text",
  text,
  annotations: [],
  logprobs: [],
});

export type OutputItem = { id: string; type: string } & Record<string, unknown>;

export const reasoningItem = (id: string, text: string): OutputItem => ({
  id,
  type: "reasoning",
  summary: [{ type: "summary_text", text }],
  encrypted_content: text,
});

export const toolItem = (id: string, callId: string, name: string, args: string): OutputItem => ({
  id,
  type: "function_call",
  status: "completed",
  call_id: callId,
  name,
  arguments: args,
});

export const responseUsageOf = ({ promptTokens, tokens }: Final) => ({
  input_tokens: promptTokens,
  output_tokens: tokens,
  total_tokens: promptTokens + tokens,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens_details: { reasoning_tokens: 0 },
});

export function responseOf(
  request: ResponsesRequest,
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
    metadata: { simulated: "true" },
    safety_identifier: null,
    prompt_cache_key: null,
  };
}

/** `POST /api/chat`: a chat as server-sent events. */
import * as z from "zod";
import type { ApiRoute } from "./route.ts";

const common = {
  model: z
    .string()
    .max(512)
    .optional()
    .describe(
      "defaults to the repository's default model if a box has it, otherwise a loaded one, otherwise one on disk",
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .optional()
    .describe("with prompt, defaults to 0.7; with messages, to the model's own"),
  max_tokens: z.int().positive().optional().describe("most tokens to generate"),
  think: z
    .union([z.boolean(), z.string()])
    .optional()
    .describe("thinking on or off, or a level that the model knows"),
};

export const PromptChat = z.strictObject({
  ...common,
  prompt: z
    .string({
      error: 'must be a text, or send "messages". Ollama\'s own API is at /ollama/api/chat',
    })
    .min(1)
    .describe("the user's message"),
  system: z.string().optional().describe("the system message"),
});

export const MessagesChat = z.strictObject({
  ...common,
  messages: z
    .array(z.looseObject({ role: z.enum(["system", "user", "assistant", "tool"]) }))
    .min(1),
  tools: z.array(z.looseObject({})).optional(),
  format: z.union([z.string(), z.looseObject({})]).optional(),
  options: z.looseObject({}).optional(),
  keep_alive: z.union([z.string(), z.number()]).optional(),
  /** Accepted because clients of Ollama send it. */
  stream: z
    .literal(true, {
      error: "must be true or false. Ollama's own API is at /ollama/api/chat",
    })
    .optional(),
});

/** Both forms are strict: a misspelt field would otherwise be dropped silently. */
export const ChatRequest = z.union([PromptChat, MessagesChat]);
export type ChatRequest = z.infer<typeof ChatRequest>;

export const CHAT_ROUTES = {
  chat: {
    method: "POST",
    audit: null,
    path: "/api/chat",
    scope: "infer",
    tag: "Chat",
    summary: "Chat with a model, as server-sent events",
    description: [
      'Each event is a JSON object: {"token","request_id"}, also with "thinking" or "tool_calls".',
      'The last one is {"done":true,"request_id","prompt_tokens","completion_tokens","latency_ms",',
      '"done_reason"} or {"error","request_id"}. The header X-Box chooses a box. A call with messages',
      "and `Accept: application/json` or `application/x-ndjson`, or with a field that only Ollama has,",
      "such as stream:false, reaches Ollama's own /api/chat and is answered by it.",
    ].join(" "),
    body: ChatRequest,
    answer: null,
    media: { "text/event-stream": "one event per token, then one with done or error" },
  },
} as const satisfies Record<string, ApiRoute>;

/** `POST /api/chat`: a chat as server-sent events. */
import { z } from "zod";
import type { ApiRoute } from "./route.ts";

const common = {
  model: z
    .string()
    .max(512)
    .optional()
    .describe(
      "default: the default model of the repository, else one that is loaded, else one on disk",
    ),
  temperature: z.number().min(0).max(2).optional(),
  max_tokens: z.int().positive().optional(),
  think: z.union([z.boolean(), z.string()]).optional(),
};

export const PromptChat = z.strictObject({
  ...common,
  prompt: z.string().min(1),
  system: z.string().optional(),
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
  /** Always streams; accepted because clients of Ollama send it. */
  stream: z
    .literal(true, { error: "this path always streams; use /ollama/api/chat for stream:false" })
    .optional(),
});

/** Both forms are strict: a misspelt field would else be dropped without a word. */
export const ChatRequest = z.union([PromptChat, MessagesChat]);
export type ChatRequest = z.infer<typeof ChatRequest>;

export const CHAT_ROUTES = {
  chat: {
    method: "POST",
    path: "/api/chat",
    scope: "infer",
    tag: "Chat",
    summary: "A chat as server-sent events",
    description: [
      'Each event is a JSON object: {"token","request_id"} (also "thinking", "tool_calls"), at the end {"done":true,"request_id",',
      '"prompt_tokens","completion_tokens","latency_ms","done_reason"}, or {"error","request_id"}. The header X-Box picks a box.',
    ].join(" "),
    body: ChatRequest,
    answer: null,
    media: { "text/event-stream": "one event per token, then one that says done" },
  },
} as const satisfies Record<string, ApiRoute>;

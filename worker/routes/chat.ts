/**
 * `POST /api/chat`: a chat as server-sent events, for pages and scripts without a client library.
 *
 *     data: {"token":"Hello","request_id":"…"}          also "thinking", "tool_calls"
 *     data: {"done":true,"request_id":"…","prompt_tokens":12,"completion_tokens":34,"latency_ms":567,…}
 *     data: {"error":"…","request_id":"…"}
 *
 * Accepts `prompt` or `messages`. It is a call like any other: one stream, one record. A call that
 * is meant for Ollama's own `/api/chat` passes to it byte for byte.
 */
import { Hono } from "hono";
import { type ChatRequest, MessagesChat, PromptChat } from "../../protocol/api/chat.ts";
import { checkValue } from "../../protocol/body-policy.ts";
import { withTag } from "../../protocol/inventory.ts";
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import type { Fleet } from "../aggregator/fleet.ts";
import { principalOf } from "../auth.ts";
import type { Env } from "../env.ts";
import { badRequest, GatewayError } from "../errors.ts";
import { callOf, checkedJson, checkedWhile, parsedJson, targetOf } from "../gateway/call.ts";
import { bytesOf } from "../gateway/held-body.ts";
import { REFRESH_MS } from "../gateway/known-boxes.ts";
import { fleetFor, invocationOf } from "../gateway/known-fleet.ts";
import { callKeysFor } from "../gateway/known-keys.ts";
import { failureOf } from "../gateway/management-call.ts";
import { type CallBody, serve } from "../gateway/serve.ts";
import { sseOfChat } from "../models/chat-events.ts";
import { demand } from "../principal.ts";
import { settingsOf } from "../settings.ts";
import { acceptsOllama, isOllamaChat, scanChat } from "./chat-shape.ts";

const DEFAULT_TEMPERATURE = 0.7;

/** A default model that was changed is used this soon, and a model of a new box at once. */
const isCurrent = (fleet: Fleet, ageMs: number): boolean =>
  ageMs < REFRESH_MS && defaultModel(fleet) !== null;

export const chatRoutes = new Hono<Env>().post("/api/chat", async (c) => {
  const request = c.req.raw;
  const accept = request.headers.get("accept");
  let isForOllama = acceptsOllama(accept);
  // Failures before the body is known have the shape that the client can read.
  c.set("dialect", isForOllama ? "ollama" : "api");
  const settings = settingsOf(c.env);
  const principal = await principalOf(request, settings, null, callKeysFor(c));
  const target = targetOf("POST", "/api/chat");
  const id = c.get("requestId");
  const call = callOf(request, target, id, principal);
  const shell = invocationOf(c);
  const bodyOf = async (): Promise<CallBody> => {
    demand(principal, "infer");
    return checkedWhile(await bytesOf(request, BODY_BYTES_MAX), checkedChat);
  };
  const checkedChat = async (bytes: Uint8Array): Promise<CallBody> => {
    const scanned = scanChat(bytes);
    isForOllama = isOllamaChat(accept, bytes, scanned.scan);
    c.set("dialect", isForOllama ? "ollama" : "api");
    if (isForOllama) return checkedJson(target.route, bytes, scanned);
    // Ollama receives our JSON, not the caller's, and answers with NDJSON.
    call.open.headers = [["content-type", "application/json"]];
    const chat = parseChat(parsedJson(bytes));
    const model = chat.model || defaultModel(await fleetFor(shell, call.startedMs, isCurrent));
    if (model === null)
      throw new GatewayError({
        reason: "bad_request",
        detail: 'The field "model" is missing, and no box has a chat model to use by default.',
      });
    const checked = checkValue(target.route, ollamaChat(chat, model));
    if (!checked.ok) throw new GatewayError(checked.failure);
    return checked.body;
  };
  const answer = await serve(shell, call, bodyOf);
  if (isForOllama) return answer;
  if (answer.status !== 200 || answer.body === null)
    throw new GatewayError(await failureOf(answer));
  return new Response(answer.body.pipeThrough(sseOfChat(id, call.startedMs, Date.now)), {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-request-id": id,
      ...passedOf(answer.headers),
    },
  });
});

/** The headers of a call that its caller gets. */
const PASSED = ["x-box", "x-clamped", "x-queue-position", "x-queue-eta-ms", "x-queue-waited-ms"];

const passedOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => PASSED.includes(name)));

function parseChat(value: unknown): ChatRequest {
  const form =
    typeof value === "object" && value !== null && "messages" in value ? MessagesChat : PromptChat;
  const result = form.safeParse(value);
  if (!result.success) throw badRequest(result.error);
  return result.data;
}

/** Returns the body of Ollama's own `/api/chat`. */
function ollamaChat(chat: ChatRequest, model: string): object {
  const isPrompt = "prompt" in chat;
  const sampling = {
    ...(chat.temperature !== undefined || isPrompt
      ? { temperature: chat.temperature ?? DEFAULT_TEMPERATURE }
      : {}),
    ...(chat.max_tokens !== undefined ? { num_predict: chat.max_tokens } : {}),
  };
  const think = chat.think === undefined ? {} : { think: chat.think };
  if (isPrompt) {
    const system = chat.system === undefined ? [] : [{ role: "system", content: chat.system }];
    return {
      model,
      messages: [...system, { role: "user", content: chat.prompt }],
      stream: true,
      options: sampling,
      ...think,
    };
  }
  const { messages, tools, format, options, keep_alive } = chat;
  return {
    model,
    messages,
    tools,
    format,
    keep_alive,
    stream: true,
    options: { ...options, ...sampling },
    ...think,
  };
}

/**
 * Returns the repository's default if a box has it, otherwise a model in memory, which answers
 * soonest, otherwise the first on disk. Skips models whose family only embeds. While no box is up, those that
 * may come back count: the call waits for them.
 */
function defaultModel({ boxes, defaultModel: chosen }: Fleet): string | null {
  const up = boxes.filter(({ state }) => state === "up");
  const holders = up.length > 0 ? up : boxes;
  const models = holders.flatMap(({ loaded, installed }) => [...loaded, ...installed]);
  if (chosen !== null && models.some((name) => withTag(name) === withTag(chosen))) return chosen;
  const embedders = new Set(holders.flatMap((box) => box.embedders));
  const chats = (name: string) => !embedders.has(name);
  const name =
    holders.flatMap(({ loaded }) => loaded).find(chats) ??
    holders.flatMap(({ installed }) => installed).find(chats);
  return name === undefined ? null : withTag(name);
}

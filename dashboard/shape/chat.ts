/** A conversation: its messages, how events extend an answer, and how it is stored. Pure. */
import type { ChatImage } from "./chat-images.ts";

/** The two answers to a message stand side by side, each from a model of its own. */
export type ChatSide = 0 | 1;

export type Message = {
  role: "user" | "assistant";
  content: string;
  thinking: string;
  /** Set on messages of the user only. */
  images: ChatImage[];
  /** The side of an answer. */
  side: ChatSide;
  /** Set on answers only, like the fields below. */
  model: string | null;
  /** The id of its request, which has a record. */
  id: string | null;
  box: string | null;
  /** How the answer was requested; null if an earlier version stored it. */
  asked: Asked | null;
  tokens: number | null;
  /** Tokens per second since the first token; null if unknown. */
  rate: number | null;
  state: "done" | "streaming" | "stopped" | "failed";
  error: string | null;
};

/** The texts of the fields that are sent with each message. An empty one leaves it to the model. */
export type ChatOptions = { system: string; temperature: string; maxTokens: string };

export type Asked = {
  options: ChatOptions;
  /** The box that was chosen; empty if the edge chose one. */
  box: string;
  /** False if the images were left out, because the model reads none. */
  hasImages: boolean;
};

export type ChatEvent =
  | { token?: string; thinking?: string; tool_calls?: unknown[] }
  | { done: true; completion_tokens: number | null; done_reason: string | null }
  | { error: string };

export const userMessage = (content: string, images: ChatImage[] = []): Message => ({
  ...BLANK,
  role: "user",
  content,
  images,
});
export const pendingAnswer = (
  model: string | null,
  side: ChatSide = 0,
  asked: Asked | null = null,
): Message => ({ ...BLANK, role: "assistant", images: [], model, side, asked, state: "streaming" });

const BLANK = {
  content: "",
  thinking: "",
  side: 0,
  model: null,
  id: null,
  box: null,
  asked: null,
  tokens: null,
  rate: null,
  state: "done",
  error: null,
} as const;

/**
 * Returns the message after one more event.
 * @param elapsedMs  time since the first token
 */
export function afterChatEvent(message: Message, event: ChatEvent, elapsedMs: number): Message {
  if ("error" in event) return { ...message, state: "failed", error: event.error };
  if ("done" in event) {
    const tokens = event.completion_tokens;
    return {
      ...message,
      state: "done",
      tokens,
      rate: tokens !== null && elapsedMs > 0 ? (1_000 * tokens) / elapsedMs : null,
    };
  }
  const content = message.content + (event.token ?? "");
  // Each event has about one token. The last event has the exact count.
  const tokens = (message.tokens ?? 0) + 1;
  const rate = elapsedMs > 250 ? (1_000 * tokens) / elapsedMs : null;
  return { ...message, content, thinking: message.thinking + (event.thinking ?? ""), tokens, rate };
}

type Sent = { role: string; content: string; images?: string[] };

/**
 * Returns the messages to send to the model. Leaves out empty ones, such as answers that failed, and
 * images that are no longer kept. Ollama takes an image as base64 without a type.
 */
export const promptMessages = (messages: readonly Message[], withImages = true): Sent[] =>
  messages
    .filter(({ content }) => content !== "")
    .map(({ role, content, images }) => {
      const data = withImages ? images.flatMap((image) => image.data ?? []) : [];
      return { role, content, ...(data.length > 0 && { images: data }) };
    });

/** Returns the body of `/api/chat`. Figures that are not valid are left out. */
export function chatBody(
  messages: readonly Message[],
  model: string,
  { system, temperature, maxTokens }: ChatOptions,
  withImages = true,
): Record<string, unknown> {
  const figure = (text: string, isValid: (value: number) => boolean) =>
    text.trim() !== "" && isValid(Number(text)) ? Number(text) : undefined;
  const heat = figure(temperature, (value) => value >= 0 && value <= 2);
  const most = figure(maxTokens, (value) => Number.isInteger(value) && value > 0);
  return {
    messages: [
      ...(system.trim() === "" ? [] : [{ role: "system", content: system }]),
      ...promptMessages(messages, withImages),
    ],
    ...(model !== "" && { model }),
    ...(heat !== undefined && { temperature: heat }),
    ...(most !== undefined && { max_tokens: most }),
  };
}

/** A conversation: its messages, how events extend an answer, and how it is stored. Pure. */

export type Message = {
  role: "user" | "assistant";
  content: string;
  thinking: string;
  /** Set on answers only, like the fields below. */
  model: string | null;
  /** The id of its request, which has a record. */
  id: string | null;
  box: string | null;
  tokens: number | null;
  /** Tokens per second since the first token; null if unknown. */
  rate: number | null;
  state: "done" | "streaming" | "stopped" | "failed";
  error: string | null;
};

export type ChatEvent =
  | { token?: string; thinking?: string; tool_calls?: unknown[] }
  | { done: true; completion_tokens: number | null; done_reason: string | null }
  | { error: string };

export const userMessage = (content: string): Message => ({ ...BLANK, role: "user", content });
export const pendingAnswer = (model: string | null): Message => ({
  ...BLANK,
  role: "assistant",
  model,
  state: "streaming",
});

const BLANK = {
  content: "",
  thinking: "",
  model: null,
  id: null,
  box: null,
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

/**
 * Returns the messages to send to the model. Leaves out empty ones, such as answers that failed.
 */
export const promptMessages = (messages: readonly Message[]): { role: string; content: string }[] =>
  messages.filter(({ content }) => content !== "").map(({ role, content }) => ({ role, content }));

/** The texts of the fields that are sent with each message. An empty one leaves it to the model. */
export type ChatOptions = { system: string; temperature: string; maxTokens: string };

/** Returns the body of `/api/chat`. Figures that are not valid are left out. */
export function chatBody(
  messages: readonly Message[],
  model: string,
  { system, temperature, maxTokens }: ChatOptions,
): Record<string, unknown> {
  const figure = (text: string, isValid: (value: number) => boolean) =>
    text.trim() !== "" && isValid(Number(text)) ? Number(text) : undefined;
  const heat = figure(temperature, (value) => value >= 0 && value <= 2);
  const most = figure(maxTokens, (value) => Number.isInteger(value) && value > 0);
  return {
    messages: [
      ...(system.trim() === "" ? [] : [{ role: "system", content: system }]),
      ...promptMessages(messages),
    ],
    ...(model !== "" && { model }),
    ...(heat !== undefined && { temperature: heat }),
    ...(most !== undefined && { max_tokens: most }),
  };
}

/**
 * Browsers store at least 5 MB per site. A conversation may use about half of that; its oldest
 * messages are dropped first.
 */
const CHARS_MAX = 2_000_000;

export function trimmedToStorage(messages: readonly Message[]): Message[] {
  let chars = 0;
  const newest = messages.toReversed().filter(({ content, thinking }) => {
    chars += content.length + thinking.length;
    return chars <= CHARS_MAX;
  });
  return newest
    .toReversed()
    .map((message) => (message.state === "streaming" ? { ...message, state: "stopped" } : message));
}

/** Parses a stored conversation. Drops everything that is not a valid message. */
export function messagesOf(value: unknown): Message[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: Partial<Record<keyof Message, unknown>> | null): Message[] => {
    if (each === null || typeof each !== "object" || typeof each.content !== "string") return [];
    if (each.role !== "user" && each.role !== "assistant") return [];
    const text = (field: unknown) => (typeof field === "string" ? field : null);
    const number = (field: unknown) =>
      typeof field === "number" && Number.isFinite(field) ? field : null;
    return [
      {
        role: each.role,
        content: each.content,
        thinking: text(each.thinking) ?? "",
        model: text(each.model),
        id: text(each.id),
        box: text(each.box),
        tokens: number(each.tokens),
        rate: number(each.rate),
        state: each.state === "failed" || each.state === "stopped" ? each.state : "done",
        error: text(each.error),
      },
    ];
  });
}

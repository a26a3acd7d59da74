/** A conversation: what was said, what an answer's events make of it, and how it is kept. Pure. */

export type Message = {
  role: "user" | "assistant";
  content: string;
  thinking: string;
  /** Of an answer: who gave it, and how. */
  model: string | null;
  box: string | null;
  tokens: number | null;
  /** Tokens per second from the first one on; null where it is not known. */
  rate: number | null;
  state: "done" | "streaming" | "stopped" | "failed";
  error: string | null;
};

export type ChatEvent =
  | { token?: string; thinking?: string; tool_calls?: unknown[] }
  | { done: true; completion_tokens: number | null; done_reason: string | null }
  | { error: string };

export const said = (content: string): Message => ({ ...BLANK, role: "user", content });
export const answering = (model: string | null): Message => ({
  ...BLANK,
  role: "assistant",
  model,
  state: "streaming",
});

const BLANK = {
  content: "",
  thinking: "",
  model: null,
  box: null,
  tokens: null,
  rate: null,
  state: "done",
  error: null,
} as const;

/** @param elapsedMs  since the first token */
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
  const tokens = (message.tokens ?? 0) + 1; // about one per event; the last event says how many
  const rate = elapsedMs > 250 ? (1_000 * tokens) / elapsedMs : null;
  return { ...message, content, thinking: message.thinking + (event.thinking ?? ""), tokens, rate };
}

/** What of a conversation the model is told: everything that was said. An answer that failed said nothing. */
export const toldOf = (messages: readonly Message[]): { role: string; content: string }[] =>
  messages.filter(({ content }) => content !== "").map(({ role, content }) => ({ role, content }));

/** A browser keeps 5 MB for a site at least: half of it may be a long conversation. The oldest go first. */
const CHARS_MAX = 2_000_000;

export function kept(messages: readonly Message[]): Message[] {
  let chars = 0;
  const newest = messages.toReversed().filter(({ content, thinking }) => {
    chars += content.length + thinking.length;
    return chars <= CHARS_MAX;
  });
  return newest
    .toReversed()
    .map((message) => (message.state === "streaming" ? { ...message, state: "stopped" } : message));
}

/** Whatever stood in storage, as messages. */
export function messagesOf(value: unknown): Message[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: Partial<Record<keyof Message, unknown>> | null): Message[] => {
    if (each === null || typeof each !== "object" || typeof each.content !== "string") return [];
    if (each.role !== "user" && each.role !== "assistant") return [];
    const text = (one: unknown) => (typeof one === "string" ? one : null);
    const number = (one: unknown) => (typeof one === "number" && Number.isFinite(one) ? one : null);
    return [
      {
        role: each.role,
        content: each.content,
        thinking: text(each.thinking) ?? "",
        model: text(each.model),
        box: text(each.box),
        tokens: number(each.tokens),
        rate: number(each.rate),
        state: each.state === "failed" || each.state === "stopped" ? each.state : "done",
        error: text(each.error),
      },
    ];
  });
}

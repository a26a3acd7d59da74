/** A conversation as the browser keeps it. Stored values are untrusted. Pure. */
import type { Asked, Message } from "./chat.ts";
import type { ChatImage } from "./chat-images.ts";

/**
 * Browsers store at least 5 MB per site. A conversation may use about half of that; its oldest
 * messages are dropped first. Images are not kept: two photos would fill it.
 */
const CHARS_MAX = 2_000_000;

export function trimmedToStorage(messages: readonly Message[]): Message[] {
  let chars = 0;
  const newest = messages.toReversed().filter(({ content, thinking }) => {
    chars += content.length + thinking.length;
    return chars <= CHARS_MAX;
  });
  return newest.toReversed().map((message) => ({
    ...message,
    images: message.images.map((image) => ({ ...image, data: null })),
    state: message.state === "streaming" ? "stopped" : message.state,
  }));
}

/** Parses a stored conversation. Drops everything that is not a valid message. */
export function messagesOf(value: unknown): Message[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: Partial<Record<keyof Message, unknown>> | null): Message[] => {
    if (each === null || typeof each !== "object" || typeof each.content !== "string") return [];
    if (each.role !== "user" && each.role !== "assistant") return [];
    return [
      {
        role: each.role,
        content: each.content,
        thinking: text(each.thinking) ?? "",
        images: Array.isArray(each.images) ? each.images.flatMap(imageIn) : [],
        side: each.side === 1 ? 1 : 0,
        model: text(each.model),
        id: text(each.id),
        box: text(each.box),
        asked: askedIn(each.asked),
        tokens: number(each.tokens),
        rate: number(each.rate),
        state: each.state === "failed" || each.state === "stopped" ? each.state : "done",
        error: text(each.error),
      },
    ];
  });
}

const text = (field: unknown) => (typeof field === "string" ? field : null);
const number = (field: unknown) =>
  typeof field === "number" && Number.isFinite(field) ? field : null;

function imageIn(value: Partial<Record<keyof ChatImage, unknown>> | null): ChatImage[] {
  const name = text(value?.name);
  const sizeBytes = number(value?.sizeBytes);
  return name === null || sizeBytes === null
    ? []
    : [{ name, type: text(value?.type) ?? "", sizeBytes, data: null }];
}

function askedIn(value: unknown): Asked | null {
  if (typeof value !== "object" || value === null) return null;
  const { options, box, hasImages }: Partial<Record<keyof Asked, unknown>> = value;
  if (typeof options !== "object" || options === null) return null;
  const { system, temperature, maxTokens }: Partial<Record<keyof Asked["options"], unknown>> =
    options;
  return {
    options: {
      system: text(system) ?? "",
      temperature: text(temperature) ?? "",
      maxTokens: text(maxTokens) ?? "",
    },
    box: text(box) ?? "",
    hasImages: hasImages !== false,
  };
}

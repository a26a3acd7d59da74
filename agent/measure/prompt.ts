/**
 * The prompt text that a record keeps: the user's last message in the body of a request.
 *
 * Never an image, a system prompt or a tool's result. A body in another form has no prompt.
 */
import { z } from "zod";
import { PROMPT_CHARS_MAX } from "../../protocol/limits.ts";
import { cut } from "../../protocol/records.ts";

/**
 * @param body  the parsed JSON, in any form
 * @returns     text, cut to the record's limit; null without text
 */
export function promptOf(endpoint: string, body: unknown): string | null {
  const text = FINDERS.get(endpoint)?.(body) ?? "";
  return text === "" ? null : cut(text, PROMPT_CHARS_MAX);
}

/** A text, or the texts in a list. Other items of the list, such as tokens, are left out. */
const Texts = z.union([
  z.string().transform((text) => [text]),
  z.array(z.unknown()).transform((list) => list.filter((item) => typeof item === "string")),
]);
const member = (name: string) => {
  const Body = z.object({ [name]: Texts });
  return (body: unknown) => {
    const parsed = Body.safeParse(body);
    return parsed.success ? parsed.data[name]?.join("\n") : undefined;
  };
};

/** Parts with text of the user: `text` (OpenAI chat, Anthropic), `input_text` (responses). */
const Part = z.object({ type: z.enum(["text", "input_text"]), text: z.string() });
const UserMessage = z.object({
  role: z.literal("user"),
  content: z.union([z.string(), z.array(z.unknown())]),
});

const Chat = z.object({ messages: z.array(z.unknown()) });
const chat = (body: unknown) => {
  const parsed = Chat.safeParse(body);
  return parsed.success ? lastUserText(parsed.data.messages) : undefined;
};

const Responses = z.object({ input: z.union([z.string(), z.array(z.unknown())]) });
const responses = (body: unknown) => {
  const parsed = Responses.safeParse(body);
  if (!parsed.success) return undefined;
  return typeof parsed.data.input === "string"
    ? parsed.data.input
    : lastUserText(parsed.data.input);
};

/**
 * Skips messages without text, from the last one back: Anthropic's tool results and single images
 * also have the role of the user.
 */
function lastUserText(messages: unknown[]): string | undefined {
  for (let i = messages.length - 1; i >= 0; i--) {
    const message = UserMessage.safeParse(messages[i]);
    const text = message.success ? contentText(message.data.content) : "";
    if (text !== "") return text;
  }
  return undefined;
}

function contentText(content: string | unknown[]): string {
  if (typeof content === "string") return content;
  const parts = content.map((part) => Part.safeParse(part));
  return parts.flatMap((part) => (part.success ? [part.data.text] : [])).join("\n");
}

const FINDERS: ReadonlyMap<string, (body: unknown) => string | undefined> = new Map([
  ["/api/generate", member("prompt")],
  ["/api/chat", chat],
  ["/api/embed", member("input")],
  ["/api/embeddings", member("prompt")],
  ["/v1/chat/completions", chat],
  ["/v1/completions", member("prompt")],
  ["/v1/embeddings", member("input")],
  ["/v1/responses", responses],
  ["/v1/messages", chat],
]);

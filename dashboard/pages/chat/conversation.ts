/**
 * The conversation of this browser, and the answers in progress. They continue while another page is
 * open.
 */
import { effect, signal } from "@preact/signals";
import { ask } from "../../data/answer.ts";
import {
  type ChatOptions,
  type ChatSide,
  chatBody,
  type Message,
  pendingAnswer,
  userMessage,
} from "../../shape/chat.ts";
import type { ChatImage } from "../../shape/chat-images.ts";
import { readBy, type Seat } from "../../shape/chat-sides.ts";
import { messagesOf, trimmedToStorage } from "../../shape/stored-chat.ts";

const NAME = "chat";
/** Shortest time between two redraws of an answer, because rendering a long one takes a while. */
const DRAW_MS = 80;

export const messages = signal<Message[]>(messagesOf(stored()));
/** Sent with each message. They last as long as the page. */
export const chatOptions = signal<ChatOptions>({ system: "", temperature: "", maxTokens: "" });
const asking = new Map<ChatSide, AbortController>();

function stored(): unknown {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "null");
  } catch {
    return null;
  }
}

effect(() => {
  if (isAnswering()) return; // stored once the answers are complete
  try {
    localStorage.setItem(NAME, JSON.stringify(trimmedToStorage(messages.value)));
  } catch {
    // Storage is full or blocked: the conversation lasts as long as the page.
  }
});

export function isAnswering(): boolean {
  return messages.value.some(({ state }) => state === "streaming");
}

/** Aborts the request, which also stops it on the GPU. */
export const stopAnswer = (side: ChatSide): void => asking.get(side)?.abort();

export function stopAnswers(): void {
  for (const controller of asking.values()) controller.abort();
}

export function forgetConversation(): void {
  stopAnswers();
  messages.value = [];
}

type Recipient = Seat & {
  /** False if the model reads no images, null if that is unknown. */
  sees: boolean | null;
};

/** Sends a message to every seat at once. */
export function sendMessage(
  text: string,
  images: ChatImage[],
  recipients: readonly Recipient[],
): void {
  if (isAnswering()) return;
  const before = [...messages.value, userMessage(text, images)];
  const options = chatOptions.peek();
  const pending = recipients.map(({ model, box, sees }, index) =>
    pendingAnswer(model === "" ? null : model, index === 1 ? 1 : 0, {
      options,
      box,
      hasImages: sees !== false,
    }),
  );
  messages.value = [...before, ...pending];
  for (const answer of pending) void follow(answer, before);
}

async function follow(first: Message, before: readonly Message[]): Promise<void> {
  const { side, model, asked } = first;
  const controller = new AbortController();
  asking.set(side, controller);
  let drawn = first;
  let drawnMs = 0;
  const { options = chatOptions.peek(), box = "", hasImages = true } = asked ?? {};
  await ask({
    body: chatBody(readBy(before, side), model ?? "", options, hasImages),
    box,
    signal: controller.signal,
    answer: first,
    show: (next) => {
      const isDue = performance.now() - drawnMs >= DRAW_MS || next.id !== drawn.id;
      if (next.state === "streaming" && !isDue) return;
      drawnMs = performance.now();
      // In a conversation that was forgotten, the answer is nowhere.
      messages.value = messages.value.map((message) => (message === drawn ? next : message));
      drawn = next;
    },
  });
}

/**
 * The conversation of this browser, and the answer in progress. It continues while another page is
 * open.
 */
import { effect, signal } from "@preact/signals";
import { call, errorMessage } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import {
  afterChatEvent,
  type ChatEvent,
  type ChatOptions,
  chatBody,
  type Message,
  messagesOf,
  pendingAnswer,
  trimmedToStorage,
  userMessage,
} from "../../shape/chat.ts";

const NAME = "chat";
/** Shortest time between two redraws of an answer, because rendering a long one takes a while. */
const DRAW_MS = 80;

export const messages = signal<Message[]>(messagesOf(stored()));
/** Sent with each message. They last as long as the page. */
export const chatOptions = signal<ChatOptions>({ system: "", temperature: "", maxTokens: "" });
let current: AbortController | null = null;

function stored(): unknown {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "null");
  } catch {
    return null;
  }
}

effect(() => {
  const all = messages.value;
  if (all.at(-1)?.state === "streaming") return; // stored once the answer is complete
  try {
    localStorage.setItem(NAME, JSON.stringify(trimmedToStorage(all)));
  } catch {
    // Storage is full or blocked: the conversation lasts as long as the page.
  }
});

export const isAnswering = (): boolean => messages.value.at(-1)?.state === "streaming";

/** Aborts the request, which also stops it on the GPU. */
export const stopAnswer = (): void => current?.abort();

export function forgetConversation(): void {
  stopAnswer();
  messages.value = [];
}

export async function sendMessage(
  text: string,
  { model, box }: { model: string; box: string },
): Promise<void> {
  if (isAnswering()) return;
  const before = [...messages.value, userMessage(text)];
  let answer = pendingAnswer(model === "" ? null : model);
  let drawnMs = 0;
  const show = (next: Message, isDue = true) => {
    answer = next;
    if (!isDue && performance.now() - drawnMs < DRAW_MS) return;
    drawnMs = performance.now();
    messages.value = [...before, answer];
  };
  show(answer);
  const controller = new AbortController();
  current = controller;
  try {
    const response = await call("POST", "/api/chat", {
      body: chatBody(before, model, chatOptions.peek()),
      headers: { accept: "text/event-stream", ...(box !== "" && { "x-box": box }) },
      signal: controller.signal,
    });
    const { headers } = response;
    show({ ...answer, id: headers.get("x-request-id"), box: headers.get("x-box") });
    let firstMs: number | null = null;
    for await (const event of jsonEvents<ChatEvent>(response)) {
      firstMs ??= performance.now();
      const next = afterChatEvent(answer, event, performance.now() - firstMs);
      show(next, next.state !== "streaming");
    }
    if (answer.state === "streaming")
      show({ ...answer, state: "failed", error: "The response ended early." });
  } catch (error) {
    show(
      controller.signal.aborted
        ? { ...answer, state: "stopped" }
        : { ...answer, state: "failed", error: errorMessage(error) },
    );
  }
}

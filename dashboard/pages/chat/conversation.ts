/** The conversation of this browser, and the answer that is on its way. It goes on while another page is looked at. */
import { effect, signal } from "@preact/signals";
import { call, wordsOf } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import {
  afterChatEvent,
  answering,
  type ChatEvent,
  kept,
  type Message,
  messagesOf,
  said,
  toldOf,
} from "../../shape/chat.ts";

const NAME = "chat";
/** An answer is drawn this often: marking up a long one takes a while. */
const DRAW_MS = 80;

export const messages = signal<Message[]>(messagesOf(stored()));
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
  if (all.at(-1)?.state === "streaming") return; // when it is over
  try {
    localStorage.setItem(NAME, JSON.stringify(kept(all)));
  } catch {
    // full, or not allowed: the conversation lasts as long as the page
  }
});

export const isAnswering = (): boolean => messages.value.at(-1)?.state === "streaming";

/** The caller goes away, and that reaches the GPU. */
export const stopAnswer = (): void => current?.abort();

export function forgetConversation(): void {
  stopAnswer();
  messages.value = [];
}

export async function say(
  text: string,
  { model, box }: { model: string; box: string },
): Promise<void> {
  if (isAnswering()) return;
  const before = [...messages.value, said(text)];
  let answer = answering(model === "" ? null : model);
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
      body: { messages: toldOf(before), ...(model !== "" && { model }) },
      headers: { accept: "text/event-stream", ...(box !== "" && { "x-box": box }) },
      signal: controller.signal,
    });
    show({ ...answer, box: response.headers.get("x-box") });
    let firstMs: number | null = null;
    for await (const event of jsonEvents<ChatEvent>(response)) {
      firstMs ??= performance.now();
      const next = afterChatEvent(answer, event, performance.now() - firstMs);
      show(next, next.state !== "streaming");
    }
    if (answer.state === "streaming")
      show({ ...answer, state: "failed", error: "The answer broke off." });
  } catch (error) {
    show(
      controller.signal.aborted
        ? { ...answer, state: "stopped" }
        : { ...answer, state: "failed", error: wordsOf(error) },
    );
  }
}

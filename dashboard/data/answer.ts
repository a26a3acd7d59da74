/** Sends a conversation over `/api/chat` and reports the answer as it grows. */
import { type Asked, afterChatEvent, type ChatEvent, type Message } from "../shape/chat.ts";
import { call, errorMessage } from "./api.ts";
import { jsonEvents } from "./events.ts";

type Question = {
  body: Record<string, unknown>;
  /** Empty leaves the choice to the edge. */
  box?: Asked["box"];
  signal: AbortSignal;
  answer: Message;
  show: (answer: Message) => void;
};

/** Never throws: the state of the answer shows a failure or a stop. */
export async function ask({
  body,
  box = "",
  signal,
  answer: first,
  show,
}: Question): Promise<void> {
  let answer = first;
  const update = (next: Message) => {
    answer = next;
    show(answer);
  };
  try {
    const response = await call("POST", "/api/chat", {
      body,
      headers: { accept: "text/event-stream", ...(box !== "" && { "x-box": box }) },
      signal,
    });
    const { headers } = response;
    update({ ...answer, id: headers.get("x-request-id"), box: headers.get("x-box") });
    let firstMs: number | null = null;
    for await (const event of jsonEvents<ChatEvent>(response)) {
      firstMs ??= performance.now();
      update(afterChatEvent(answer, event, performance.now() - firstMs));
    }
    if (answer.state === "streaming")
      update({ ...answer, state: "failed", error: "The response ended early." });
  } catch (error) {
    update(
      signal.aborted
        ? { ...answer, state: "stopped" }
        : { ...answer, state: "failed", error: errorMessage(error) },
    );
  }
}

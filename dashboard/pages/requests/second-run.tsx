/**
 * Runs a request again, beside its record: the stored prompt as one message, to the same model, on the box
 * that the edge chooses now.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { call, errorMessage } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import { afterChatEvent, type ChatEvent, type Message, pendingAnswer } from "../../shape/chat.ts";
import { count, duration, tokenRate } from "../../shape/format.ts";

type Run = { answer: Message; id: string | null; ms: number | null };

type Props = { entry: LogEntry; open: (id: string) => void };

export function SecondRun({ entry, open }: Props) {
  const [run, setRun] = useState<Run | null>(null);
  const controller = useRef<AbortController | null>(null);
  const start = async () => {
    const begunMs = performance.now();
    controller.current = new AbortController();
    const { signal } = controller.current;
    let answer = pendingAnswer(entry.model);
    let id: string | null = null;
    const show = (next: Message) => {
      answer = next;
      const isOver = next.state !== "streaming";
      setRun({ answer, id, ms: isOver ? performance.now() - begunMs : null });
    };
    show(answer);
    try {
      const response = await call("POST", "/api/chat", {
        body: { model: entry.model, messages: [{ role: "user", content: entry.prompt }] },
        headers: { accept: "text/event-stream" },
        signal,
      });
      id = response.headers.get("x-request-id");
      show({ ...answer, box: response.headers.get("x-box") });
      let firstMs: number | null = null;
      for await (const event of jsonEvents<ChatEvent>(response)) {
        firstMs ??= performance.now();
        show(afterChatEvent(answer, event, performance.now() - firstMs));
      }
      if (answer.state === "streaming")
        show({ ...answer, state: "failed", error: "The response ended early." });
    } catch (error) {
      if (signal.aborted) show({ ...answer, state: "stopped" });
      else show({ ...answer, state: "failed", error: errorMessage(error) });
    }
  };
  useEffect(() => {
    void start();
    return () => controller.current?.abort();
  }, []);
  if (run === null) return null;
  const { answer, id, ms } = run;
  return (
    <section class="replay" aria-label="Replay" aria-busy={answer.state === "streaming"}>
      <div class="text-head">
        <h3>Replay{answer.box !== null && ` on ${answer.box}`}</h3>
        {answer.state === "streaming" ? (
          <button type="button" class="small" onClick={() => controller.current?.abort()}>
            Stop
          </button>
        ) : (
          <button type="button" class="small" disabled={id === null} onClick={() => open(id ?? "")}>
            Open its record
          </button>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable area must be reachable by keyboard */}
      <pre tabIndex={0}>{answer.content || answer.thinking || "Waiting for the first token…"}</pre>
      {answer.error !== null && (
        <p class="error-text" role="alert">
          {answer.error}
        </p>
      )}
      <p class="aside" role="status">
        {ms === null
          ? "Running"
          : `${answer.state === "stopped" ? "Stopped after" : "Took"} ${duration(ms)}, was ${duration(entry.latency_ms)}`}
        {answer.tokens !== null && ` · ${count(answer.tokens)} tokens`}
        {answer.rate !== null && ` · ${tokenRate(answer.rate)}`}
      </p>
    </section>
  );
}

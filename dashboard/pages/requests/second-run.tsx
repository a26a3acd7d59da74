/**
 * Runs a request again, beside its record: the stored prompt as one message, to the same model, on the box
 * that the edge chooses now.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { LogEntry } from "../../../protocol/api/logs.ts";
import { ask } from "../../data/answer.ts";
import { type Message, pendingAnswer } from "../../shape/chat.ts";
import { count, duration, tokenRate } from "../../shape/format.ts";

type Run = { answer: Message; ms: number | null };

type Props = { entry: LogEntry; open: (id: string) => void };

export function SecondRun({ entry, open }: Props) {
  const [run, setRun] = useState<Run | null>(null);
  const controller = useRef<AbortController | null>(null);
  const start = async () => {
    const begunMs = performance.now();
    controller.current = new AbortController();
    await ask({
      body: { model: entry.model, messages: [{ role: "user", content: entry.prompt }] },
      signal: controller.current.signal,
      answer: pendingAnswer(entry.model),
      show: (answer) => {
        const isOver = answer.state !== "streaming";
        setRun({ answer, ms: isOver ? performance.now() - begunMs : null });
      },
    });
  };
  useEffect(() => {
    void start();
    return () => controller.current?.abort();
  }, []);
  if (run === null) return null;
  const { answer, ms } = run;
  return (
    <section class="replay" aria-label="Replay" aria-busy={answer.state === "streaming"}>
      <div class="text-head">
        <h3>Replay{answer.box !== null && ` on ${answer.box}`}</h3>
        {answer.state === "streaming" ? (
          <button type="button" class="small" onClick={() => controller.current?.abort()}>
            Stop
          </button>
        ) : (
          <button
            type="button"
            class="small"
            disabled={answer.id === null}
            onClick={() => open(answer.id ?? "")}
          >
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

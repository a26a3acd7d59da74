/** Turns the answer of a box that runs a bench into events of `/api`, and keeps its result. */
import type { BenchEvent } from "../../protocol/api/bench.ts";
import { BenchLine, type BenchResult, type BenchRun } from "../../protocol/bench.ts";
import { failureOfError, wireErrorOf } from "../errors.ts";
import { type EventStreamOptions, eventStream } from "./event-stream.ts";
import { linesOf } from "./ndjson.ts";

export type BenchEventsOptions = EventStreamOptions & {
  /** Keeps the result. It is not reported as done before. */
  keep: (result: BenchResult) => Promise<BenchRun>;
};

export function benchEvents(
  body: ReadableStream<Uint8Array>,
  { keep, ...options }: BenchEventsOptions,
): ReadableStream<Uint8Array> {
  let hasLeft = false;
  const onLeft = () => {
    hasLeft = true;
    options.onLeft();
  };
  return eventStream(
    async (send: (event: BenchEvent) => Promise<void>) => {
      try {
        for await (const text of linesOf(body)) {
          const event = await eventOf(text, keep);
          await send(event);
          if (event.state === "done" || event.state === "failed") return;
        }
        await send({ state: "failed", error: "The box ended the bench without a result." });
      } catch (error) {
        if (!hasLeft)
          await send({ state: "failed", error: wireErrorOf(failureOfError(error)).message });
      }
    },
    { ...options, onLeft },
  );
}

async function eventOf(text: string, keep: BenchEventsOptions["keep"]): Promise<BenchEvent> {
  const parsed = BenchLine.safeParse(jsonOf(text));
  if (!parsed.success)
    return { state: "failed", error: "The box sent a line that is not part of a bench." };
  const line = parsed.data;
  if ("error" in line) return { state: "failed", error: line.error };
  return line.state === "done" ? { state: "done", run: await keep(line.result) } : line;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

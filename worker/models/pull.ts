/**
 * Pulls one model to several boxes, as one stream of server-sent events.
 *
 * The caller sets the pace: an event that is not read holds up the answers of the boxes, through
 * their tunnels' flow control. A box that fails is one event; the others continue.
 */
import { failureOfError, wireErrorOf } from "../errors.ts";
import { linesOf } from "./ndjson.ts";
import { PullProgress } from "./pull-progress.ts";

export type BoxPull = {
  box: string;
  requestId: string;
  /** Resolves to Ollama's progress once the pull begins. */
  body: Promise<ReadableStream<Uint8Array>>;
};

export type PullOptions = {
  /** A comment is sent after this much silence, because proxies close silent connections. */
  keepAliveMs: number;
  /** Runs if the caller disconnects before the end. */
  onLeft: () => void;
  /** Runs before the last event, with the boxes that now have the model. */
  beforeDone: (boxes: readonly string[]) => Promise<void>;
};

export function pullEvents(
  pulls: readonly BoxPull[],
  { keepAliveMs, onLeft, beforeDone }: PullOptions,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  const progress = new PullProgress(pulls);
  let hasLeft = false;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const write = async (text: string): Promise<void> => {
    clearTimeout(timer);
    await writer.write(encoder.encode(text));
    clearTimeout(timer);
    if (!hasLeft)
      timer = setTimeout(() => void write(": still there\n\n").catch(() => {}), keepAliveMs);
  };
  const send = (event: object | null) =>
    event === null ? Promise.resolve() : write(`data: ${JSON.stringify(event)}\n\n`);

  const follow = async ({ box, body }: BoxPull): Promise<void> => {
    try {
      for await (const line of linesOf(await body)) await send(progress.line(box, line));
      await send(progress.end(box));
    } catch (error) {
      if (!hasLeft) await send(progress.fail(box, wireErrorOf(failureOfError(error)).message));
    }
  };

  const run = async (): Promise<void> => {
    await Promise.all(pulls.map(follow));
    const done = progress.done();
    await beforeDone(done.boxes.filter(({ status }) => status === "success").map(({ box }) => box));
    await send(done);
    await writer.close();
  };

  writer.closed
    .catch(() => {
      hasLeft = true;
      onLeft();
    })
    .finally(() => clearTimeout(timer));
  run().catch((error: unknown) => {
    if (!hasLeft) void writer.abort(error);
  });
  return readable;
}

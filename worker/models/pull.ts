/**
 * Pulls of one model to several boxes, as one stream of server-sent events.
 *
 * Goes at the caller's pace: an event that is not taken holds up the answers of the boxes, and
 * those their tunnels. A box that fails is an event; the others go on.
 */
import { failureOfError, wireErrorOf } from "../errors.ts";
import { linesOf } from "./ndjson.ts";
import { PullProgress } from "./pull-progress.ts";

export type BoxPull = {
  box: string;
  requestId: string /** Ollama's progress, once it begins */;
  body: Promise<ReadableStream<Uint8Array>>;
};

export type PullOptions = {
  /** When nothing was said for so long, a comment keeps the connection: proxies close silent ones. */
  keepAliveMs: number;
  /** The caller went away before the end. */
  onLeft: () => void;
  /** What is to be done before the caller is told that these boxes have the model. */
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
  const say = (event: object | null) =>
    event === null ? Promise.resolve() : write(`data: ${JSON.stringify(event)}\n\n`);

  const follow = async ({ box, body }: BoxPull): Promise<void> => {
    try {
      for await (const line of linesOf(await body)) await say(progress.line(box, line));
      await say(progress.end(box));
    } catch (error) {
      if (!hasLeft) await say(progress.fail(box, wireErrorOf(failureOfError(error)).message));
    }
  };

  const run = async (): Promise<void> => {
    await Promise.all(pulls.map(follow));
    const done = progress.done();
    await beforeDone(done.boxes.filter(({ status }) => status === "success").map(({ box }) => box));
    await say(done);
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

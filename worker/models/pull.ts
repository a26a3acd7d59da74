/**
 * Pulls one model to several boxes, as one stream of server-sent events.
 *
 * The caller sets the pace: an event that is not read holds up the answers of the boxes, through
 * their tunnels' flow control. A box that fails is one event; the others continue.
 */
import { failureOfError, wireErrorOf } from "../errors.ts";
import { type EventStreamOptions, eventStream } from "./event-stream.ts";
import { linesOf } from "./ndjson.ts";
import { PullProgress } from "./pull-progress.ts";

export type BoxPull = {
  box: string;
  requestId: string;
  /** Resolves to Ollama's progress once the pull begins. */
  body: Promise<ReadableStream<Uint8Array>>;
};

export type PullOptions = EventStreamOptions & {
  /** Runs before the last event, with the boxes that now have the model. */
  beforeDone: (boxes: readonly string[]) => Promise<void>;
};

export function pullEvents(
  pulls: readonly BoxPull[],
  { keepAliveMs, onLeft, beforeDone }: PullOptions,
): ReadableStream<Uint8Array> {
  const progress = new PullProgress(pulls);
  let hasLeft = false;
  const leave = () => {
    hasLeft = true;
    onLeft();
  };
  return eventStream(
    async (send) => {
      const follow = async ({ box, body }: BoxPull): Promise<void> => {
        try {
          for await (const line of linesOf(await body)) await send(progress.line(box, line));
          const end = progress.end(box);
          if (end !== null) await send(end);
        } catch (error) {
          if (!hasLeft) await send(progress.fail(box, wireErrorOf(failureOfError(error)).message));
        }
      };
      await Promise.all(pulls.map(follow));
      const done = progress.done();
      await beforeDone(
        done.boxes.filter(({ status }) => status === "success").map(({ box }) => box),
      );
      await send(done);
    },
    { keepAliveMs, onLeft: leave },
  );
}

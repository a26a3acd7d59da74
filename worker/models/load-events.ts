/** A load of a model as server-sent events: a cold model takes longer than proxies wait for an answer. */
import type { LoadEvent } from "../../protocol/api/planning.ts";
import { failureOfError, wireErrorOf } from "../errors.ts";
import { type EventStreamOptions, eventStream } from "./event-stream.ts";

/**
 * @param place   the model, and the box that loads it
 * @param loaded  resolves to the last event
 */
export function loadEvents(
  place: { model: string; box: string },
  loaded: Promise<LoadEvent>,
  { keepAliveMs, onLeft }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  return eventStream(
    async (send: (event: LoadEvent) => Promise<void>) => {
      // The failure is an event: the answer has begun.
      const last = loaded.catch(
        (error: unknown): LoadEvent => ({
          status: "failed",
          ...place,
          error: wireErrorOf(failureOfError(error)).message,
        }),
      );
      await send({ status: "loading", ...place });
      await send(await last);
    },
    { keepAliveMs, onLeft },
  );
}

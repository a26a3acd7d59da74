/**
 * A tool of `/mcp` that takes minutes, such as a pull: its events as notifications of progress, and its
 * last event as the result. A client that leaves stops the task, as a caller of the route does.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/progress
 */
import type { LastEvent } from "../../protocol/api/route.ts";
import { EVENT_SILENCE_MS } from "../../protocol/limits.ts";
import { eventStream } from "../models/event-stream.ts";
import { linesOf } from "../models/ndjson.ts";

export type TaskCall = {
  id: string | number | null;
  /** Null if the client wants no progress. */
  token: string | number | null;
};

const DATA = "data: ";

/**
 * @param answer  has the events of a route
 * @param ends    the last ones, of which it has one
 */
export function taskAnswer(answer: Response, ends: LastEvent, { id, token }: TaskCall): Response {
  let hasLeft = false;
  const events = eventStream(
    async (send) => {
      const sendRpc = (message: object) => send({ jsonrpc: "2.0", ...message });
      let last: string | null = null;
      let progress = 0;
      try {
        for await (const line of linesOf(answer.body ?? new Blob().stream())) {
          // Comments come all the time, so this is soon. To leave the loop cancels the task.
          if (hasLeft) return;
          if (!line.startsWith(DATA)) continue;
          last = line.slice(DATA.length);
          const params = { progressToken: token, progress: ++progress, message: last };
          if (token !== null) await sendRpc({ method: "notifications/progress", params });
        }
      } catch {
        last = null;
      }
      if (!hasLeft) await sendRpc({ id, result: resultOf(last, ends) });
    },
    {
      keepAliveMs: EVENT_SILENCE_MS,
      onLeft: () => {
        hasLeft = true;
      },
    },
  );
  return new Response(events, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" },
  });
}

function resultOf(last: string | null, { success, failure }: LastEvent) {
  const event: unknown = last === null ? null : JSON.parse(last);
  const isError = !success.safeParse(event).success;
  const isEnd = !isError || failure.safeParse(event).success;
  const text = isEnd && last !== null ? last : "The edge ended the task without a result.";
  return { content: [{ type: "text", text }], isError };
}

/**
 * Converts Ollama's NDJSON chat chunks into the events of `/api/chat`. Pure except for its clock.
 */
import * as z from "zod";

/**
 * The fields of a chunk that the events need. Lenient: a field of another type counts as absent.
 */
const Chunk = z.object({
  message: z
    .object({
      content: z.string().optional().catch(undefined),
      thinking: z.string().optional().catch(undefined),
      tool_calls: z.array(z.unknown()).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  done: z.boolean().optional().catch(undefined),
  done_reason: z.string().optional().catch(undefined),
  prompt_eval_count: z.number().optional().catch(undefined),
  eval_count: z.number().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
});

const STILL_THERE = new TextEncoder().encode(": still there\n\n");

/**
 * Returns the transform from chunks to server-sent events.
 * @param requestId  included in every event
 * @param startedMs  unix ms, for `latency_ms`
 */
export function sseOfChat(
  requestId: string,
  startedMs: number,
  now: () => number,
): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let rest = "";
  const eventOf = (line: string): object | null => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return { error: "the box sent a line that is not JSON", request_id: requestId };
    }
    const chunk = Chunk.safeParse(value);
    if (!chunk.success)
      return { error: "the box sent a line that is not a chat chunk", request_id: requestId };
    const { message, done, done_reason, prompt_eval_count, eval_count, error } = chunk.data;
    if (error !== undefined) return { error, request_id: requestId };
    if (done === true) {
      return {
        ...(message?.content ? { token: message.content } : {}),
        done: true,
        request_id: requestId,
        prompt_tokens: prompt_eval_count ?? null,
        completion_tokens: eval_count ?? null,
        latency_ms: now() - startedMs,
        done_reason: done_reason ?? null,
      };
    }
    const token = {
      ...(message?.content ? { token: message.content } : {}),
      ...(message?.thinking ? { thinking: message.thinking } : {}),
      ...(message?.tool_calls?.length ? { tool_calls: message.tool_calls } : {}),
    };
    return Object.keys(token).length === 0 ? null : { ...token, request_id: requestId };
  };
  return new TransformStream({
    transform(bytes, controller) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      const events = lines.filter((line) => line !== "").flatMap((line) => eventOf(line) ?? []);
      // Spaces are the edge's sign of life before the first line.
      if (lines.length === 0 && rest.trim() === "") controller.enqueue(STILL_THERE);
      if (events.length > 0)
        controller.enqueue(
          encoder.encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")),
        );
    },
    flush(controller) {
      if (rest.trim() !== "")
        controller.enqueue(encoder.encode(`data: ${JSON.stringify(eventOf(rest))}\n\n`));
    },
  });
}

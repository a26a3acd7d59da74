/** One call of `/api/generate`, timed by its caller. */
import * as z from "zod";
import { GpuBenchError, type Window } from "./counter.ts";

/** The last line of the answer, with Ollama's own figures. Durations are in nanoseconds. */
const Final = z.object({
  done: z.literal(true),
  load_duration: z.number().default(0),
  prompt_eval_count: z.number().default(0),
  prompt_eval_duration: z.number().default(0),
  eval_count: z.number(),
  eval_duration: z.number(),
});

export type Call = Window & {
  /** The request id; null from Ollama itself. */
  id: string | null;
  firstMs: number;
  final: z.infer<typeof Final>;
};

export type Ask = { model: string; words: number; tokens: number };

const clockMs = () => performance.timeOrigin + performance.now();

/**
 * Sends a prompt of random words, so that no part of it is cached.
 * @param base  the address of Ollama, or of the edge with `/ollama`
 */
export async function generate(base: string, ask: Ask): Promise<Call> {
  const { model, words, tokens } = ask;
  const options = { num_predict: tokens };
  const prompt = Array.from({ length: words }, () => Math.random().toString(36).slice(2, 8)).join(
    " ",
  );
  const fromMs = clockMs();
  const answer = await fetch(`${base}/api/generate`, {
    method: "POST",
    body: JSON.stringify({ model, prompt, options, raw: true }),
  });
  if (!answer.ok || answer.body === null)
    throw new GpuBenchError(`${base} answered ${answer.status}: ${await answer.text()}`);
  let firstMs = 0;
  let text = "";
  for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
    if (firstMs === 0) firstMs = clockMs();
    text += part;
  }
  const toMs = clockMs();
  const final = Final.parse(JSON.parse(text.trim().split("\n").at(-1) ?? ""));
  return { id: answer.headers.get("x-request-id"), fromMs, firstMs, toMs, final };
}

export const tokensPerSecond = ({ final }: Call): number =>
  (1e9 * final.eval_count) / final.eval_duration;

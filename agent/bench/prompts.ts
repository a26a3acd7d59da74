/**
 * Prompts of a wanted length for a bench. Pure.
 *
 * Ollama keeps the prompts that it has read, so a repeated one would cost no prefill: every prompt
 * is a new sequence of words. How many tokens a word has depends on the model; the requests that warm
 * it up show it.
 */

/** Common English words: nearly every tokenizer has one token for each. */
const WORDS = (
  "time year people way day man thing woman life child world school state family student group country " +
  "problem hand part place case week company system program question work government number night point " +
  "home water room mother area money story fact month lot right study book eye job word business issue " +
  "side kind head house service friend father power hour game line end member law car city community"
).split(" ");

/** @param random  uniform in [0, 1) */
export function wordsOf(count: number, random: () => number): string {
  const words = Array.from(
    { length: count },
    () => WORDS[Math.floor(random() * WORDS.length)] ?? "",
  );
  return words.join(" ");
}

/** How many tokens a prompt may have above the wanted length. */
const TOLERANCE = 1.05;

/** Returns whether a prompt and its answer fit the context of a model. */
export const fitsContext = (
  promptTokens: number,
  outputTokens: number,
  contextLength: number,
): boolean => promptTokens * TOLERANCE + outputTokens <= contextLength;

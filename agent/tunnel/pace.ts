/**
 * How far apart the messages of a streamed answer are. Pure.
 *
 * Each message is billed at the edge and costs CPU there. A reader notices the pace of the first tokens.
 * After them, a fast model is ahead of its reader, who does not wait for a token that comes a little later;
 * a slow model is not, and each of its tokens leaves at once. Bytes that come after a longer silence leave at
 * once as well. A box that serves many streams is busy, and their tokens wait for each other.
 */

/** The messages of a stream so far. */
export type MessagePace = {
  messages: number;
  /** Parts of the answer. Ollama sends each token as one. */
  parts: number;
  /** When the first message left, and the last one, ms. */
  firstMs: number;
  lastMs: number;
};

/** Messages at the shortest pause: more than half a second of a model with 30 tokens a second. */
const QUICK_MESSAGES = 18;
/** Less than the time between two tokens of most models, so that each token leaves alone. */
export const SHORTEST_PAUSE_MS = 20;
/** A page that changes twice a second looks alive, however far ahead the model is. */
const LONGEST_PAUSE_MS = 500;
/** How much a pause is longer than the one before: two seconds later it is the longest. */
const GROWTH = 1.3;
/** A fast reader: 300 words a minute. */
const READ_PER_S = 7;
/** A pause is at most this part of the time that the reader needs for what has come. */
const PART_OF_LEAD = 1 / 16;

/** However slow the models are: as long as a reader takes for a word. */
const SHARED_PAUSE_MS = 250;

/** Returns the pause after the last message. @param streams  how many answer at once */
export function pauseMs(
  { messages, parts, firstMs }: MessagePace,
  streams: number,
  nowMs: number,
): number {
  const grownMs = SHORTEST_PAUSE_MS * GROWTH ** Math.max(0, messages - QUICK_MESSAGES);
  const leadMs = (parts / READ_PER_S) * 1_000 - (nowMs - firstMs);
  const sharedMs = Math.min(SHARED_PAUSE_MS, SHORTEST_PAUSE_MS * streams);
  const unnoticedMs = Math.max(sharedMs, leadMs * PART_OF_LEAD);
  return Math.min(LONGEST_PAUSE_MS, grownMs, unnoticedMs);
}

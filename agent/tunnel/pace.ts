/**
 * How far apart the messages of a streamed answer are. Pure.
 *
 * Each message is billed at the edge and costs CPU there. A reader notices the pace of the first tokens;
 * later ones are read slower than they come. So the pause is short at first, and grows with the number
 * of messages of a stream. Bytes that come after a longer silence leave at once.
 */

/** Messages of a stream at the shortest pause: a second of a model with 30 tokens a second. */
const QUICK_MESSAGES = 30;
/** Less than the time between two tokens of most models, so that each token leaves alone. */
export const SHORTEST_PAUSE_MS = 20;
/** As long as a reader takes for a word. */
const LONGEST_PAUSE_MS = 250;
/** How much a pause is longer than the one before: a second later it is the longest. */
const GROWTH = 1.25;

/** @param messages  how many messages of the stream have left */
export const pauseMs = (messages: number): number =>
  Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * GROWTH ** Math.max(0, messages - QUICK_MESSAGES));

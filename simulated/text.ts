/**
 * Text and vectors that look like a model's and are the same for the same seed.
 *
 * A token is roughly what a tokenizer would produce: a word with the space before it, or a piece of
 * a long word. Some sentences contain characters of two to four bytes and characters that Go's JSON
 * escapes, because streams break at those first.
 */

/** FNV-1a, 32 bits. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** mulberry32: a small generator of uniform numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SENTENCES = [
  "A tunnel is a connection that one side dials and both sides use.",
  "In short, measure first, change one thing, and measure again.",
  "The café on the corner roasts its own beans; the smell reaches the naïve passer-by.",
  "Gradient descent takes small steps downhill until the loss stops falling.",
  "For values where x < 10 && y > 3 the second branch is taken.",
  "Water expands when it freezes, which is why ice floats.",
  "你好 means hello, and 谢谢 means thank you.",
  "A hash table trades memory for time: lookups are constant on average.",
  "The answer depends on the context, so here are the three most common cases.",
  "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
  "Remember to close the file, even when an error is thrown. 🙂",
  "The capital of France is Paris; it has been for most of the last thousand years.",
  "Caches are easy to fill and hard to empty at the right moment.",
  "Un exemple simple vaut mieux qu'une longue explication.",
  "A queue that only grows is not a queue, it is an outage that has not happened yet.",
  "First bring the water to a boil, then add the pasta and a little salt.",
];

const THOUGHTS = [
  "The question is short, so a short answer will do.",
  "Let me check the two cases one after the other.",
  "There may be a trap here: the units differ.",
  "I should give an example and then the rule.",
];

/** An endless sequence of tokens. */
export function* tokens(seed: number): Generator<string> {
  yield* spoken(SENTENCES, randomOf(seed));
}

/** An endless sequence of tokens of a thinking model's reasoning. */
export function* thoughts(seed: number): Generator<string> {
  yield* spoken(THOUGHTS, randomOf(seed ^ 0x5bd1e995));
}

function* spoken(sentences: readonly string[], random: () => number): Generator<string> {
  let isFirst = true;
  for (;;) {
    const sentence = sentences[Math.floor(random() * sentences.length)] ?? "";
    for (const word of sentence.split(" ")) {
      const [head = "", ...rest] = piecesOf(word);
      yield isFirst ? head : ` ${head}`;
      yield* rest;
      isFirst = false;
    }
  }
}

/**
 * Splits long words into pieces of up to seven characters, as in a real vocabulary, never inside a
 * surrogate pair.
 */
function piecesOf(word: string): string[] {
  return word.match(/.{1,7}/gsu) ?? [""];
}

/** Counts the tokens of an input as a tokenizer would: about four characters each. */
export const countOf = (text: string): number => Math.ceil(text.length / 4);

/** Returns a unit vector for a text: the same for the same text. */
export function vectorOf(text: string, seed: number, width: number): number[] {
  const random = randomOf(textHash(text) ^ seed);
  const raw = Array.from({ length: width }, () => random() * 2 - 1);
  const norm = Math.hypot(...raw);
  return raw.map((value) => Number((value / norm).toPrecision(8)));
}

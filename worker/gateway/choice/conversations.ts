/**
 * The boxes that served the conversations of this isolate last. Pure: the caller passes in the time.
 *
 * Ollama keeps the prompt of a model's last requests, so the next turn of a conversation is read much
 * faster there. No text is kept: a conversation is a hash.
 */

/** Conversations that are remembered: about 2 MB. */
const CONVERSATIONS_MAX = 10_000;
/** Ollama has unloaded a model that nobody used by then, or works on the prompts of others. */
const KEPT_MS = 30 * 60_000;

type Served = { box: string; tokens: number; atMs: number };

export class Conversations {
  readonly #served = new Map<string, Served>();

  get size(): number {
    return this.#served.size;
  }

  /**
   * Returns the box of a conversation, and the tokens of the prompt that it keeps; null if unknown.
   * @param promptTokens  the length of the next turn; null if unknown
   */
  kept(
    conversation: string,
    promptTokens: number | null,
    nowMs: number,
  ): { box: string; tokens: number } | null {
    const served = this.#served.get(conversation);
    if (served === undefined || nowMs - served.atMs > KEPT_MS) return null;
    // A shorter prompt is another conversation with the same opening, or one that starts again.
    const isNextTurn = promptTokens === null || promptTokens >= served.tokens;
    return isNextTurn ? { box: served.box, tokens: served.tokens } : null;
  }

  served(conversation: string, box: string, promptTokens: number | null, nowMs: number): void {
    this.#served.delete(conversation);
    this.#served.set(conversation, { box, tokens: promptTokens ?? 0, atMs: nowMs });
    const [oldest] = this.#served.keys();
    if (this.#served.size > CONVERSATIONS_MAX && oldest !== undefined) this.#served.delete(oldest);
  }
}

/** Marks in the answers of a simulated box, so that nobody takes them for those of a model. */

/** The first token of every text, and the beginning of every text in a structured answer. */
export const TEXT_MARK = "[simulated]";

/** A field of answers whose content may have no text: tool calls, numbers, vectors. */
export const MARKED = { simulated: true };

/** The system fingerprint of OpenAI answers, in place of Ollama's. */
export const FINGERPRINT = "fp_simulated";

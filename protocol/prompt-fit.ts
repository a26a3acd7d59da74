/** How the prompt of a request fits into the context of its model, as its record keeps it. */
import * as z from "zod";

const count = z.int().nonnegative().nullable().default(null);

export const PROMPT_FIT_FIELDS = {
  /**
   * UTF-16 code units of the texts of the whole prompt, of all messages and tools. The text itself is
   * not needed for it, nor kept because of it. Null without a prompt, and from older versions.
   */
  prompt_chars: count,
  /** Tokens of context that the model had for the request. Null if unknown, and from older versions. */
  context_length: count,
  /**
   * True if Ollama left out a part of the prompt because it did not fit into the context. Ollama reports
   * it nowhere: the agent concludes it from lengths. Null if it cannot know, and from older versions.
   */
  prompt_truncated: z.boolean().nullable().default(null),
};

/** The fields of a request whose prompt was not measured. */
export const NO_PROMPT_FIT = {
  prompt_chars: null,
  context_length: null,
  prompt_truncated: null,
} as const;

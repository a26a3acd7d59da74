/** The settings of redaction. */
import * as z from "zod";
import { REDACTED_KINDS, type RedactedKind } from "./patterns.ts";

export const REDACTION_VARIABLES = {
  REDACT: z
    .string()
    .default("")
    .transform(kindsOf)
    .describe(
      "removed from the prompts, answers and error messages of records, before they are on the disk of this box: " +
        `${REDACTED_KINDS.map((kind) => `\`${kind}\``).join(", ")}, or \`all\`, see ` +
        "[redaction](agent.md#redaction)",
    ),
  REDACT_WORDS: z
    .string()
    .default("")
    .transform(wordsOf)
    .describe(
      "names and other texts that are removed too, in any case, separated by commas: at most 100, each of 3 to 200 " +
        "characters",
    ),
};

const listOf = (text: string): string[] => text.split(",").flatMap((part) => part.trim() || []);

function kindsOf(text: string, context: z.RefinementCtx): readonly RedactedKind[] {
  const named = listOf(text);
  if (named.length === 1 && named[0] === "all") return REDACTED_KINDS;
  const unknown = named.find((name) => !REDACTED_KINDS.some((kind) => kind === name));
  if (unknown !== undefined)
    context.addIssue(
      `must be all, or a list of ${REDACTED_KINDS.join(", ")}; got ${JSON.stringify(unknown.slice(0, 100))}.`,
    );
  return REDACTED_KINDS.filter((kind) => named.includes(kind));
}

/** Shorter words would remove parts of others. The message contains none: they are private. */
function wordsOf(text: string, context: z.RefinementCtx): string[] {
  const words = listOf(text);
  if (words.length > 100) context.addIssue("must have at most 100 words.");
  if (words.some((word) => word.length < 3 || word.length > 200))
    context.addIssue("must be words of 3 to 200 characters, separated by commas.");
  return words;
}

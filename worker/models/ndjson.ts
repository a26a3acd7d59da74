/** Splits a streamed NDJSON body into lines. */

/** Ollama's lines are a few hundred characters long; longer ones are rejected. */
const LINE_CHARS_MAX = 1_000_000;

/**
 * Yields the lines of a body, without empty ones. Leaving the loop cancels the body.
 * @throws if the body breaks, or a line is too long
 */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARS_MAX)
      throw new Error(`the box sent a line of more than ${LINE_CHARS_MAX} characters`);
    for (const line of lines) if (line.trim() !== "") yield line;
  }
  rest += decoder.decode();
  if (rest.trim() !== "") yield rest;
}

/** Lines of a body that comes in pieces. */

/** A line of Ollama has some hundred characters. A longer one than this is none. */
const LINE_CHARS_MAX = 1_000_000;

/**
 * The lines of a body, without empty ones. Leaving the loop cancels the body.
 * @throws when the body breaks, or holds a line without end
 */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARS_MAX)
      throw new Error(`a line of more than ${LINE_CHARS_MAX} characters`);
    for (const line of lines) if (line.trim() !== "") yield line;
  }
  rest += decoder.decode();
  if (rest.trim() !== "") yield rest;
}

/**
 * Parses server-sent events from a fetch response, because an `EventSource` hides the status of a
 * refusal.
 * Only `data:` fields are used.
 */

/**
 * Splits the received text into the data of each complete event and the unfinished rest.
 * Lines may end in LF, CRLF or CR, as the standard allows.
 */
export function eventsIn(text: string): { events: string[]; rest: string } {
  // A trailing CR may be the first half of a CRLF.
  const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
  const blocks = whole.replace(/\r\n?/g, "\n").split("\n\n");
  const rest = (blocks.pop() ?? "") + text.slice(whole.length);
  const events = blocks.flatMap((block) => {
    const data = block
      .split("\n")
      .flatMap((line) => (line.startsWith("data:") ? [line.slice(5).replace(/^ /, "")] : []));
    return data.length === 0 ? [] : [data.join("\n")];
  });
  return { events, rest };
}

/**
 * Yields the events of a response, parsed as JSON.
 * @throws if the connection breaks or an event is not valid JSON
 */
export async function* jsonEvents<T>(response: Response): AsyncGenerator<T> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const { events, rest } = eventsIn(text + decoder.decode(value, { stream: true }));
      text = rest;
      for (const event of events) yield JSON.parse(event) as T;
    }
  } finally {
    void reader.cancel().catch(() => {});
  }
}

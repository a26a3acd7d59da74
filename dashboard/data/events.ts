/** Server-sent events, read from a fetch: an `EventSource` could send no key. Only `data:` is used here. */

/** The data of each whole event in what came so far, and what is left. Lines end as the standard allows: LF, CRLF or CR. */
export function eventsIn(text: string): { events: string[]; rest: string } {
  // A CR at the end may be half of a CRLF.
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

/** @throws when the connection breaks, or an event is not JSON. */
export async function* jsonEvents<T>(answer: Response): AsyncGenerator<T> {
  if (answer.body === null) return;
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
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

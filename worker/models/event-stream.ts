/**
 * Server-sent events of one run: the caller sets the pace, a comment keeps a silent connection open,
 * and a caller that disconnects is noticed even while nothing is sent.
 */
export type EventStreamOptions = {
  /** A comment is sent after this much silence, because proxies close silent connections. */
  keepAliveMs: number;
  /** Runs if the caller disconnects before the end. */
  onLeft: () => void;
};

/** @param run  sends the events; a rejection after the caller left is expected */
export function eventStream(
  run: (send: (event: object) => Promise<void>) => Promise<void>,
  { keepAliveMs, onLeft }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encoder = new TextEncoder();
  let hasLeft = false;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const write = async (text: string): Promise<void> => {
    clearTimeout(timer);
    await writer.write(encoder.encode(text));
    clearTimeout(timer);
    if (!hasLeft)
      timer = setTimeout(() => void write(": still there\n\n").catch(() => {}), keepAliveMs);
  };

  writer.closed
    .catch(() => {
      hasLeft = true;
      onLeft();
    })
    .finally(() => clearTimeout(timer));
  run((event) => write(`data: ${JSON.stringify(event)}\n\n`))
    .then(() => writer.close())
    .catch((error: unknown) => {
      if (!hasLeft) void writer.abort(error);
    });
  return readable;
}

/**
 * HTTP/1.1 messages from a byte stream, with as little work as possible: CPU time of the load client
 * and the stand-in Ollama is missing for the programs measured on the same machine.
 *
 * Reads what Node and workerd write: `content-length` or `chunked`, and no trailers.
 */

export type Events = {
  /** The start line and the headers, as text. */
  onHead(head: string): void;
  /** Bytes of the body, without the framing. */
  onBody(bytes: Buffer): void;
  onEnd(): void;
};

const HEAD_END = "\r\n\r\n";

export class HttpMessages {
  readonly #events: Events;
  #rest: Buffer = Buffer.alloc(0);
  #state: "head" | "length" | "size" | "chunk" | "gap" | "last" = "head";
  #left = 0;

  constructor(events: Events) {
    this.#events = events;
  }

  /** @throws if the bytes are not such a message */
  push(bytes: Buffer): void {
    let data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (let used = this.#step(data); used > 0 && data.length > 0; used = this.#step(data))
      data = data.subarray(used);
    this.#rest = data;
  }

  /** @returns the number of bytes consumed; 0 if it needs more */
  #step(data: Buffer): number {
    switch (this.#state) {
      case "head": {
        const end = data.indexOf(HEAD_END);
        if (end < 0) return 0;
        this.#begin(data.toString("latin1", 0, end));
        return end + HEAD_END.length;
      }
      case "size": {
        const end = data.indexOf("\r\n");
        if (end < 0) return 0;
        this.#left = Number.parseInt(data.toString("latin1", 0, end), 16);
        if (Number.isNaN(this.#left))
          throw new Error(`not the size of a chunk: ${data.toString("latin1", 0, end)}`);
        this.#state = this.#left === 0 ? "last" : "chunk";
        return end + 2;
      }
      case "length":
      case "chunk": {
        const bytes = data.subarray(0, this.#left);
        this.#left -= bytes.length;
        if (bytes.length > 0) this.#events.onBody(bytes);
        if (this.#left === 0) {
          if (this.#state === "chunk") this.#state = "gap";
          else this.#end();
        }
        return bytes.length;
      }
      case "gap":
      case "last": {
        if (data.length < 2) return 0;
        if (this.#state === "gap") this.#state = "size";
        else this.#end();
        return 2;
      }
    }
  }

  #begin(head: string): void {
    this.#events.onHead(head);
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = "size";
      return;
    }
    this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#left > 0) this.#state = "length";
    else this.#end();
  }

  #end(): void {
    this.#state = "head";
    this.#events.onEnd();
  }
}

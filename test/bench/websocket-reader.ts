/** One direction of a WebSocket connection: finds the messages in its bytes (RFC 6455, 5.2). */

const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;

export class WebSocketReader {
  readonly #onMessage: (payload: Buffer, isBinary: boolean) => void;
  #rest: Buffer = Buffer.alloc(0);
  #isUpgraded = false;

  constructor(onMessage: (payload: Buffer, isBinary: boolean) => void) {
    this.#onMessage = onMessage;
  }

  /**
   * @throws for a fragmented message: neither end sends them, and a fragment must not count as a
   * message
   */
  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#isUpgraded) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.#isUpgraded = true;
      this.#rest = this.#rest.subarray(end + 4);
    }
    for (let used = this.#frame(); used > 0; used = this.#frame())
      this.#rest = this.#rest.subarray(used);
  }

  /** @returns the number of bytes of the first frame; 0 while it is incomplete */
  #frame(): number {
    const data = this.#rest;
    if (data.length < 2) return 0;
    const [first, second] = [data.readUInt8(0), data.readUInt8(1)];
    const short = second & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const maskBytes = (second & 0x80) === 0 ? 0 : 4;
    const head = 2 + lengthBytes + maskBytes;
    if (data.length < head) return 0;
    const length =
      lengthBytes === 8
        ? Number(data.readBigUInt64BE(2))
        : lengthBytes === 2
          ? data.readUInt16BE(2)
          : short;
    const end = head + length;
    if (data.length < end) return 0;
    const opcode = first & 0x0f;
    if (opcode === CONTINUATION || ((first & 0x80) === 0 && opcode <= BINARY))
      throw new Error("the WebSocket message is fragmented");
    if (opcode === TEXT || opcode === BINARY) {
      const payload = Buffer.from(data.subarray(head, end));
      const mask = data.subarray(head - maskBytes, head);
      if (maskBytes > 0)
        for (let i = 0; i < payload.length; i++)
          payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
      this.#onMessage(payload, opcode === BINARY);
    }
    return end;
  }
}

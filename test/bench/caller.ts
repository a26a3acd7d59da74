/**
 * One caller: a kept-alive connection that sends calls, times the answers and compares every byte.
 */
import { connect, type Socket } from "node:net";
import { HttpMessages } from "./http-messages.ts";

/**
 * Milliseconds from the request to the first byte of the body, and to the last; and between the arrivals of
 * its parts.
 */
export type Timing = { firstMs: number; totalMs: number; gapsMs: number[] };

export class Caller {
  readonly port: number;
  readonly #socket: Socket;
  readonly #onFirstByte: () => void;
  #expected: Buffer = Buffer.alloc(0);
  #status = "";
  #at = 0;
  #startMs = 0;
  #firstMs = 0;
  #arrivedMs = 0;
  #gapsMs: number[] = [];
  #current: PromiseWithResolvers<Timing> | null = null;

  private constructor(port: number, socket: Socket, onFirstByte: () => void) {
    this.port = port;
    this.#socket = socket;
    this.#onFirstByte = onFirstByte;
    const messages = new HttpMessages({
      onHead: (head) => {
        this.#status = head.slice(0, head.indexOf("\r\n"));
      },
      onBody: (bytes) => this.#take(bytes),
      onEnd: () => this.#end(),
    });
    socket.on("data", (bytes) => {
      try {
        messages.push(bytes);
      } catch (error) {
        this.#fail(error);
      }
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () =>
      this.#fail(
        new Error(`the connection was closed after ${this.#at} of ${this.#expected.length} bytes`),
      ),
    );
  }

  static async open(port: number, onFirstByte: () => void): Promise<Caller> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Caller(port, socket, onFirstByte);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === "open";
  }

  /** @throws if the status is not 200, the answer breaks off, or any byte differs */
  call(request: Buffer, expected: Buffer): Promise<Timing> {
    const current = Promise.withResolvers<Timing>();
    this.#current = current;
    this.#expected = expected;
    this.#status = "";
    this.#at = 0;
    this.#gapsMs = [];
    this.#startMs = performance.now();
    this.#socket.write(request);
    return current.promise;
  }

  close(): void {
    this.#current = null;
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    const nowMs = performance.now();
    if (this.#at === 0) {
      this.#firstMs = nowMs - this.#startMs;
      this.#onFirstByte();
    } else this.#gapsMs.push(nowMs - this.#arrivedMs);
    this.#arrivedMs = nowMs;
    const end = this.#at + bytes.length;
    const isSame =
      end <= this.#expected.length && bytes.compare(this.#expected, this.#at, end) === 0;
    if (!isSame || !this.#status.startsWith("HTTP/1.1 200")) {
      throw new Error(
        `wrong bytes at ${this.#at} of ${this.#expected.length}: ${this.#status}, ${bytes.toString().slice(0, 300)}`,
      );
    }
    this.#at = end;
  }

  #end(): void {
    if (this.#at < this.#expected.length)
      throw new Error(`${this.#status}, ended after ${this.#at} of ${this.#expected.length} bytes`);
    const totalMs = performance.now() - this.#startMs;
    this.#current?.resolve({ firstMs: this.#firstMs, totalMs, gapsMs: this.#gapsMs });
    this.#current = null;
  }

  #fail(error: unknown): void {
    this.#current?.reject(error);
    this.#current = null;
  }
}

/**
 * A body that goes to Ollama part by part. Parts are kept until the connection is accepted, so that a
 * refused one can be tried again, and the sender waits for that after its first part.
 */
import type { ClientRequest } from "node:http";

export class StreamedBody {
  #request: ClientRequest;
  #isAccepted = false;
  #early: Uint8Array[] = [];
  #hasEnded = false;
  #resume: (() => void) | null = null;

  constructor(request: ClientRequest) {
    this.#request = request;
    this.#watch(request);
  }

  /** True once a lost connection would lose parts. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** Sends what was written so far again, through a new request. */
  again(request: ClientRequest): void {
    this.#request = request;
    this.#watch(request);
    for (const part of this.#early) request.write(part);
    if (this.#hasEnded) request.end();
  }

  /** Returns false if the sender should wait for {@link onDrain}. */
  write(part: Uint8Array): boolean {
    const hasRoom = this.#request.write(part);
    if (this.#isAccepted) return hasRoom;
    this.#early.push(part);
    return false;
  }

  onDrain(resume: () => void): void {
    if (this.#isAccepted) this.#request.once("drain", resume);
    else this.#resume = resume;
  }

  end(): void {
    this.#hasEnded = true;
    this.#request.end();
  }

  #watch(request: ClientRequest): void {
    request.once("socket", (socket) => {
      const accepted = () => {
        if (request === this.#request) this.#accepted();
      };
      if (socket.connecting) return void socket.once("connect", accepted);
      // Ollama may have closed a kept connection, which shows once the event loop has read sockets.
      setImmediate(() => setImmediate(() => !request.destroyed && accepted()));
    });
  }

  #accepted(): void {
    this.#isAccepted = true;
    this.#early = [];
    this.#resume?.();
    this.#resume = null;
  }
}

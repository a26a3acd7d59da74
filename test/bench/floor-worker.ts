/**
 * The echo floor: Worker → Durable Object → agent and back over WebSockets, and nothing else.
 *
 * It measures the cost of a tunnel of this shape on this machine before it does anything useful: no
 * records, no sequence numbers, no credit, and no error but a broken socket. It runs in workerd. The
 * few runtime types that it needs are declared here, because the tests around it use Node's types.
 *
 * A PUT is an upload: frames of the product's size, and no more of them on their way than its window
 * allows. At `/stream` the answer is a stream: one frame for each part, written as it comes, and an empty one
 * at its end.
 */
import { DATA_BYTES_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";

type Socket = {
  binaryType: string;
  accept(): void;
  send(message: ArrayBuffer | Uint8Array): void;
  close(code: number): void;
  addEventListener(type: "message", listener: (event: { data: ArrayBuffer }) => void): void;
};
type Upgraded = Response & { webSocket: Socket | null };
type Relay = { fetch(request: Request | string, init?: RequestInit): Promise<Upgraded> };
type Environment = { RELAY: { idFromName(name: string): object; get(id: object): Relay } };
type State = {
  acceptWebSocket(socket: Socket, tags: string[]): void;
  getWebSockets(tag: string): Socket[];
};
declare const WebSocketPair: new () => { 0: Socket; 1: Socket };

/** A frame is the number of its stream, followed by bytes. */
const ID_BYTES = 4;
/** Set in the number of an upload. The agent answers each of its frames with an empty one. */
const UPLOAD = 0x8000_0000;
/** Set in the number of a call whose answer is a stream. */
const STREAM = 0x4000_0000;
const FRAMES_IN_FLIGHT = WINDOW_BYTES / DATA_BYTES_MAX;

let nextId = 0;

export default {
  async fetch(request: Request, { RELAY }: Environment): Promise<Response> {
    const relay = RELAY.get(RELAY.idFromName("floor"));
    if (request.headers.get("upgrade") !== null) return relay.fetch(request);
    const isUpload = request.method === "PUT" && request.body !== null;
    const isStream = request.url.endsWith("/stream");
    const id = nextId++ + (isUpload ? UPLOAD : 0) + (isStream ? STREAM : 0);
    const { webSocket: socket } = await relay.fetch(`http://relay/${id}`, {
      headers: { upgrade: "websocket" },
    });
    if (socket === null) return new Response("the relay returned no socket", { status: 502 });
    const answer = Promise.withResolvers<Response>();
    socket.binaryType = "arraybuffer";
    socket.accept();
    if (isStream) return streamed(socket, id, await request.arrayBuffer());
    let inFlight = 0;
    let room = Promise.withResolvers<void>();
    socket.addEventListener("message", ({ data }) => {
      if (isUpload && data.byteLength === 0) {
        inFlight--;
        return room.resolve();
      }
      socket.close(1000);
      answer.resolve(new Response(data));
    });
    if (!isUpload || request.body === null) {
      socket.send(frameOf(id, new Uint8Array(await request.arrayBuffer())));
      return answer.promise;
    }
    const reader = request.body.getReader({ mode: "byob" });
    for (;;) {
      const { value } = await reader.read(new Uint8Array(DATA_BYTES_MAX), { min: DATA_BYTES_MAX });
      socket.send(frameOf(id, value ?? new Uint8Array(0)));
      if (value === undefined || value.length === 0) return answer.promise;
      for (inFlight++; inFlight >= FRAMES_IN_FLIGHT; room = Promise.withResolvers<void>())
        await room.promise;
    }
  },
};

/** Answers with the parts as they come, each with a write of its own. */
function streamed(socket: Socket, id: number, body: ArrayBuffer): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  socket.addEventListener("message", ({ data }) => {
    if (data.byteLength > 0) return void writer.write(new Uint8Array(data));
    void writer.close();
    socket.close(1000);
  });
  socket.send(frameOf(id, new Uint8Array(body)));
  return new Response(readable);
}

function frameOf(id: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ID_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, id);
  frame.set(body, ID_BYTES);
  return frame;
}

export class FloorRelay {
  readonly #state: State;
  readonly #streams = new Map<number, Socket>();
  #agent: Socket | undefined;

  constructor(state: State) {
    this.#state = state;
    this.#agent = state.getWebSockets("agent")[0]; // after hibernation
  }

  fetch(request: Request): Response {
    const { 0: far, 1: near } = new WebSocketPair();
    const name = new URL(request.url).pathname.slice(1);
    this.#state.acceptWebSocket(near, [name]);
    if (name === "agent") this.#agent = near;
    else this.#streams.set(Number(name), near);
    return new Response(null, { status: 101, webSocket: far } as ResponseInit);
  }

  webSocketMessage(socket: Socket, message: ArrayBuffer): void {
    if (socket !== this.#agent) return this.#agent?.send(message);
    const id = new DataView(message).getUint32(0);
    this.#streams.get(id)?.send(message.slice(ID_BYTES));
    const isEmpty = message.byteLength === ID_BYTES;
    if (id < STREAM || id >= UPLOAD !== isEmpty) this.#streams.delete(id);
  }

  webSocketClose(socket: Socket, code: number): void {
    socket.close(code === 1006 ? 1000 : code);
  }
}

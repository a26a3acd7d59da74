/**
 * The echo floor's agent: answers each frame with one frame that contains the stand-in's short
 * answer. Each frame of an upload gets an empty one, and its empty last frame gets its checksum. A call whose
 * answer is a stream gets a frame for each part, at the pace of its plan.
 */
import { crc32 } from "node:zlib";
import WebSocket from "ws";
import { planOf, SHORT_TOKENS, streamedParts, wholeAnswer } from "./answers.ts";

const ID_BYTES = 4;
const UPLOAD = 0x8000_0000;
const STREAM = 0x4000_0000;
const ANSWER = Buffer.from(wholeAnswer(SHORT_TOKENS));

const socket = new WebSocket(`${process.argv[2]}/agent`, { perMessageDeflate: false });
socket.on("open", () => process.send?.({ result: "up" }));
/** Checksum of the current upload. There is one at a time. */
let sum = 0;
const answerTo = (frame: Buffer): Buffer => {
  if (frame.readUInt32BE() < UPLOAD) return ANSWER;
  sum = crc32(frame.subarray(ID_BYTES), sum);
  if (frame.length > ID_BYTES) return Buffer.alloc(0);
  const answer = Buffer.from(String(sum));
  sum = 0;
  return answer;
};
const send = (id: Buffer, part: Buffer) => socket.send(Buffer.concat([id, part]));

/** Sends each part when it is due, and an empty frame at the end. */
function stream(id: Buffer, body: string): void {
  const { tokens, tokenMs } = planOf(body);
  const parts = streamedParts(tokens, "native").map((part) => Buffer.from(part));
  const startMs = performance.now();
  let sent = 0;
  const sendDue = () => {
    const due = Math.min(tokens, 1 + Math.floor((performance.now() - startMs) / tokenMs));
    // The last part belongs to the last token, as the stand-in for Ollama sends it.
    const end = due === tokens ? parts.length : due;
    if (end > sent) send(id, Buffer.concat(parts.slice(sent, end)));
    sent = end;
    if (due < tokens) setTimeout(sendDue, due * tokenMs - (performance.now() - startMs));
    else send(id, Buffer.alloc(0));
  };
  sendDue();
}

socket.on("message", (frame: Buffer) => {
  const id = frame.subarray(0, ID_BYTES);
  const kind = frame.readUInt32BE();
  if (kind >= STREAM && kind < UPLOAD) stream(id, frame.subarray(ID_BYTES).toString());
  else send(id, answerTo(frame));
});
socket.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
process.on("disconnect", () => process.exit(0));

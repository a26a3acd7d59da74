/**
 * The echo floor's agent: answers each frame with one frame that contains the stand-in's short
 * answer. Each frame of an upload gets an empty one, and its empty last frame gets its checksum.
 */
import { crc32 } from "node:zlib";
import WebSocket from "ws";
import { SHORT_TOKENS, wholeAnswer } from "./answers.ts";

const ID_BYTES = 4;
const UPLOAD = 0x8000_0000;
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
socket.on("message", (frame: Buffer) =>
  socket.send(Buffer.concat([frame.subarray(0, ID_BYTES), answerTo(frame)])),
);
socket.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
process.on("disconnect", () => process.exit(0));

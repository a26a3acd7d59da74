/**
 * The echo floor's agent: answers each frame with one frame that contains the stand-in's short
 * answer.
 */
import WebSocket from "ws";
import { SHORT_TOKENS, wholeAnswer } from "./answers.ts";

const ID_BYTES = 4;
const ANSWER = Buffer.from(wholeAnswer(SHORT_TOKENS));

const socket = new WebSocket(`${process.argv[2]}/agent`, { perMessageDeflate: false });
socket.on("open", () => process.send?.({ result: "up" }));
socket.on("message", (frame: Buffer) =>
  socket.send(Buffer.concat([frame.subarray(0, ID_BYTES), ANSWER])),
);
socket.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
process.on("disconnect", () => process.exit(0));

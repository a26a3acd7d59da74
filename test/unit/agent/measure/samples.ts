/**
 * Answers of Ollama as they are on the wire, with the measurement expected of each. Written by hand
 * from the server's sources, in the form of real captures.
 *
 * Each chunk is fed whole, 10 ms after the previous one. The request arrives at 1,000 ms and the
 * head at 1,100 ms, so the first chunk, at 1,110 ms, means a TTFT of 110 ms.
 */
import { ANTHROPIC } from "./samples/anthropic.ts";
import { MANAGEMENT } from "./samples/management.ts";
import { NATIVE } from "./samples/native.ts";
import { OPENAI } from "./samples/openai.ts";
import { OTHER } from "./samples/other.ts";
import type { Sample } from "./samples/sample.ts";

export const SAMPLES: readonly Sample[] = [
  ...NATIVE,
  ...MANAGEMENT,
  ...OPENAI,
  ...ANTHROPIC,
  ...OTHER,
];

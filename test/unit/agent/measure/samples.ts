/**
 * Answers of Ollama as they are on the wire, and what is to be measured of each. Written by hand
 * after the server's sources; the shapes are those of real captures.
 *
 * Each chunk is fed whole, 10 ms after the one before; the request arrived at 1,000, the head
 * comes at 1,100. So the first chunk is at 1,110: a TTFT of 110 ms.
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

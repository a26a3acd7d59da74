import { expect, test } from "vitest";
import { endingOf } from "../../../protocol/ending.ts";
import type { WireError } from "../../../protocol/failures.ts";
import type { Api } from "../../../protocol/records.ts";

const lost = "Box gpu-1 was lost and did not come back within 30 s.";
const failure: WireError = { status: 504, code: "tunnel_lost", failedAt: "tunnel", message: lost };

// The error with which each format ends an answer that cannot go on.
const ENDINGS: [type: string, api: Api, isAtLineStart: boolean, ending: string | null][] = [
  ["application/x-ndjson", "ollama", true, `{"error":"${lost}"}\n`],
  ["application/x-ndjson", "ollama", false, `\n{"error":"${lost}"}\n`],
  [
    "text/event-stream",
    "openai",
    true,
    `\ndata: {"error":{"message":"${lost}","type":"api_error","param":null,"code":"tunnel_lost"}}\n\n`,
  ],
  [
    "text/event-stream",
    "anthropic",
    false,
    `\n\nevent: error\ndata: {"type":"error","error":{"type":"api_error","message":"${lost}"},"request_id":"id-1"}\n\n`,
  ],
  ["application/json; charset=utf-8", "ollama", true, null],
  ["", "ollama", true, null],
];

test.each(ENDINGS)(
  "ends an answer of type %j with an error of %s (at a line's start: %s)",
  (type, api, isAtLineStart, ending) => {
    const bytes = endingOf(type, api, failure, "id-1", isAtLineStart);
    expect(bytes === null ? null : new TextDecoder().decode(bytes)).toBe(ending);
  },
);

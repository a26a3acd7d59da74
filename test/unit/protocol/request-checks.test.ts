import { describe, expect, test } from "vitest";
import { API_BODY_VALUES_MAX, BODY_BYTES_MAX, HEAD_BYTES_MAX } from "../../../protocol/limits.ts";
import {
  encodingFailure,
  forwardedHeaders,
  headFailure,
  jsonOfBytes,
  sizeFailure,
} from "../../../protocol/request-checks.ts";

const HEADERS: [name: string, value: string][] = [
  ["accept", "*/*"],
  ["authorization", "Bearer secret"],
  ["content-length", "7"],
  ["cookie", "a=b"],
  ["user-agent", "curl/8"],
];

describe("the headers that travel to Ollama", () => {
  test("leave out credentials and cookies, and the length of a JSON body", () => {
    expect(forwardedHeaders(HEADERS, "json")).toEqual([
      ["accept", "*/*"],
      ["user-agent", "curl/8"],
    ]);
  });

  test("keep the length of an upload", () => {
    expect(forwardedHeaders(HEADERS, "raw")).toContainEqual(["content-length", "7"]);
  });

  test("are refused when one of them is longer than a quarter of the head", () => {
    expect(headFailure([["accept", "x".repeat(HEAD_BYTES_MAX / 4)]])).toBeNull();
    expect(headFailure([["accept", "x".repeat(HEAD_BYTES_MAX / 4 + 1)]])).toEqual({
      reason: "head_too_large",
    });
  });
});

test.each([null, undefined, "identity", "Identity"])("accepts the encoding %s", (encoding) => {
  expect(encodingFailure(encoding)).toBeNull();
});

test("refuses a compressed body, and names its encoding", () => {
  expect(encodingFailure("gzip")).toEqual({ reason: "encoded_body", encoding: "gzip" });
  expect(encodingFailure("x".repeat(60))).toMatchObject({ encoding: "x".repeat(50) });
});

test.each([null, undefined, "", "17", 0, BODY_BYTES_MAX])("accepts a body of %s bytes", (bytes) => {
  expect(sizeFailure(bytes)).toBeNull();
});

test.each([BODY_BYTES_MAX + 1, String(BODY_BYTES_MAX + 1)])("refuses a body of %s bytes", (bytes) =>
  expect(sizeFailure(bytes)).toEqual({ reason: "body_too_large", bytesMax: BODY_BYTES_MAX }),
);

test("parses JSON in UTF-8, with or without a byte order mark", () => {
  const bytes = new TextEncoder().encode('{"a":"žluťoučký 🐎"}');
  expect(jsonOfBytes(bytes)).toEqual({ ok: true, value: { a: "žluťoučký 🐎" } });
  expect(jsonOfBytes(Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes))).toMatchObject({ ok: true });
});

test.each([
  ["an empty body", new Uint8Array(), /^The request body is empty; it must be a JSON object\.$/],
  ["half a JSON", new TextEncoder().encode('{"a":'), /^The request body is not valid JSON: .+\.$/],
  [
    "more values than a tree may hold",
    new TextEncoder().encode(`{"a":[${"1,".repeat(API_BODY_VALUES_MAX)}1]}`),
    /more than 100000 values/,
  ],
  [
    "bytes behind the JSON",
    new TextEncoder().encode("{} x"),
    /^The request body is not valid JSON/,
  ],
  [
    "bytes that are not text",
    Uint8Array.of(0x7b, 0xff, 0x7d),
    /^The request body is not valid UTF-8/,
  ],
])("refuses %s", (_name, bytes, message) => {
  expect(jsonOfBytes(bytes)).toMatchObject({
    ok: false,
    failure: { reason: "bad_request", detail: expect.stringMatching(message) },
  });
});

import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { Canaries } from "../../support/canaries.ts";

const canaries = new Canaries();
const text = canaries.of("prompt");
const around = `before ${text} after`;

test.each([
  ["as it is", Buffer.from(around)],
  ["in JSON", Buffer.from(JSON.stringify({ prompt: around }))],
  [
    "as escaped JSON",
    Buffer.from(around.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)),
  ],
  ["in UTF-16", Buffer.from(around, "utf16le")],
  ["in big-endian UTF-16", Buffer.from(around, "utf16le").swap16()],
  ["in hex", Buffer.from(Buffer.from(around).toString("hex"))],
  ["in base64", Buffer.from(Buffer.from(around).toString("base64"))],
  ["in base64 at another offset", Buffer.from(Buffer.from(`x${around}`).toString("base64"))],
  ["in base64 at a third offset", Buffer.from(Buffer.from(`xx${around}`).toString("base64"))],
  ["in gzip behind other bytes", Buffer.concat([Buffer.alloc(100), gzipSync(around)])],
  ["in a gzip stream without an end", gzipSync(around.repeat(500)).subarray(0, -8)],
  ["in zstd", zstdCompressSync(around)],
])("a canary is found %s", (_description, bytes) => {
  expect(canaries.in(bytes)).not.toEqual([]);
});

test("a canary is not found where it is not", () => {
  expect(canaries.in(Buffer.from(text.replace("canary", "c4nary")))).toEqual([]);
});

/** The images that a message may have. */
import { expect, test } from "vitest";
import {
  IMAGE_BYTES_MAX,
  IMAGES_BYTES_MAX,
  imageProblem,
  imageType,
} from "../../../../dashboard/shape/chat-images.ts";
import { BODY_BYTES_MAX } from "../../../../protocol/limits.ts";

const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d);

test.each([
  [PNG, "image/png"],
  [Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0x10), "image/jpeg"],
  [new TextEncoder().encode("RIFF\x24\x00\x00\x00WEBP"), "image/webp"],
  [new TextEncoder().encode("RIFF\x24\x00\x00\x00WAVE"), null],
  [new TextEncoder().encode("GIF89a"), null],
  [new TextEncoder().encode("<svg xmlns="), null],
  [new Uint8Array(), null],
])("finds the type of an image in its first bytes (%#)", (head, type) => {
  expect(imageType(head)).toBe(type);
});

test.each([
  ["an image", PNG, 1_000, 0, null],
  ["the largest image", PNG, IMAGE_BYTES_MAX, 0, null],
  ["an empty file", PNG, 0, 0, "a.png is empty."],
  [
    "another file",
    new TextEncoder().encode("%PDF-1.7 xxx"),
    9,
    0,
    "a.png is not a PNG, JPEG or WebP image.",
  ],
  ["a large image", PNG, IMAGE_BYTES_MAX + 1, 0, /a\.png has 10.MiB; .* at most 10.MiB/],
  ["one too many", PNG, 2, IMAGES_BYTES_MAX - 1, /^With a\.png, .* more than 29\.3.MiB/],
])("explains why a file is not taken: %s", (_, head, sizeBytes, takenBytes, problem) => {
  const found = imageProblem({ name: "a.png", sizeBytes, head }, takenBytes);
  if (problem instanceof RegExp) expect(found).toMatch(problem);
  else expect(found).toBe(problem);
});

test("all images of a conversation fit into one request", () => {
  expect(Math.ceil(IMAGES_BYTES_MAX / 3) * 4).toBeLessThan(BODY_BYTES_MAX);
});

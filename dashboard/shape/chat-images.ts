/** The images of a message: which files are taken, and why others are not. Pure. */
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import { bytes } from "./format.ts";

export type ChatImage = {
  name: string;
  type: string;
  sizeBytes: number;
  /** In base64; null after a reload, because the browser does not keep images. */
  data: string | null;
};

const MIB = 1024 * 1024;
/** A photo of a phone has 3 to 8 MiB, and models scale every image down to a few megapixels. */
export const IMAGE_BYTES_MAX = 10 * MIB;
/** Every message sends the images before it again. A MiB of the body is left for texts; base64 has 4/3 of the bytes. */
export const IMAGES_BYTES_MAX = Math.floor(((BODY_BYTES_MAX - MIB) * 3) / 4);

/** The types that Ollama decodes, for a file picker. */
export const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp"] as const;
/** How many bytes of a file show its type. */
export const HEAD_BYTES = 12;

/** Returns the type by the first bytes, because a name or a browser's guess may be wrong. */
export function imageType(head: Uint8Array): (typeof IMAGE_TYPES)[number] | null {
  const text = String.fromCharCode(...head.subarray(0, HEAD_BYTES));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  return text.startsWith("RIFF") && text.endsWith("WEBP") ? "image/webp" : null;
}

/**
 * Returns why a file cannot be sent; null if it can.
 * @param takenBytes  size of the images that the conversation already has
 */
export function imageProblem(
  { name, sizeBytes, head }: { name: string; sizeBytes: number; head: Uint8Array },
  takenBytes: number,
): string | null {
  if (sizeBytes === 0) return `${name} is empty.`;
  if (imageType(head) === null) return `${name} is not a PNG, JPEG or WebP image.`;
  const size = (value: number) => bytes(value, "binary");
  if (sizeBytes > IMAGE_BYTES_MAX)
    return `${name} has ${size(sizeBytes)}; an image may have at most ${size(IMAGE_BYTES_MAX)}. Make it smaller first.`;
  if (takenBytes + sizeBytes > IMAGES_BYTES_MAX)
    return `With ${name}, the images of this conversation would have more than ${size(IMAGES_BYTES_MAX)}. Remove one, or start a new chat.`;
  return null;
}

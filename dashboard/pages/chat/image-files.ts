/** Reads images that somebody picked, pasted or dropped. */
import { type ChatImage, HEAD_BYTES, imageProblem, imageType } from "../../shape/chat-images.ts";

/** @param takenBytes  size of the images that the conversation already has */
export async function readImages(
  files: Iterable<File>,
  takenBytes: number,
): Promise<{ images: ChatImage[]; problems: string[] }> {
  const images: ChatImage[] = [];
  const problems: string[] = [];
  let bytes = takenBytes;
  for (const file of files) {
    const { name, size: sizeBytes } = file;
    const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
    const problem = imageProblem({ name, sizeBytes, head }, bytes);
    if (problem !== null) {
      problems.push(problem);
      continue;
    }
    bytes += sizeBytes;
    images.push({ name, type: imageType(head) ?? "", sizeBytes, data: await base64Of(file) });
  }
  return { images, problems };
}

/** A browser encodes a file without holding up the page. */
const base64Of = (file: File): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error);
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.readAsDataURL(file);
  });

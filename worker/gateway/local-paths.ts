/** Hides the folders of a box in an answer of `/api/show`, which callers without admin may read. */
import { concat } from "./stream/bytes.ts";

/** With every tensor and token, the answer of a large model has about 10 MiB. */
const SHOW_BYTES_MAX = 32 * 1024 * 1024;

/** FROM and ADAPTER of a Modelfile inside a JSON string, with the path of a blob. */
const BLOB_PATH = /((?:FROM|ADAPTER) )(?:[^"\\]|\\[^n"])*?(sha256-[0-9a-f]{64})/g;

/** Returns the answer with the digest of each blob instead of its path, and unchanged otherwise. */
export async function withoutLocalPaths(answer: Response): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > SHOW_BYTES_MAX) throw new Error("an answer of /api/show beyond its limit");
    chunks.push(chunk);
  }
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(concat(chunks));
  const headers = new Headers(answer.headers);
  headers.delete("content-length");
  return new Response(text.replace(BLOB_PATH, "$1$2"), { status: answer.status, headers });
}

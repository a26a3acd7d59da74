/** Downloads the agent of an edge, and checks that it is the offered file. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { AGENT_PATH, type AgentFile } from "../../protocol/update.ts";
import type { EdgeAddress } from "../tunnel/dial.ts";
import { digestOf } from "./update-folder.ts";

/** Time for the whole download: one MiB over a very slow line. */
const DOWNLOAD_MS = 120_000;

/** An update that is not carried out. The message is for people. */
export class UpdateError extends Error {
  override readonly name = "UpdateError";
}

/** @throws {UpdateError} unless the content is the offered one */
export async function downloadAgent(edge: EdgeAddress, file: AgentFile): Promise<Buffer> {
  const content = await contentOf(edge, file.bytes);
  if (content.length < file.bytes)
    throw new UpdateError(`the download ended after ${content.length} of ${file.bytes} bytes`);
  if (digestOf(content) !== file.sha256)
    throw new UpdateError(
      "the downloaded file is not the offered one; if the edge was deployed meanwhile, update again",
    );
  return content;
}

/** Reads at most one byte more than expected, and follows no redirect. */
function contentOf({ edgeUrl, edgeSocket }: EdgeAddress, bytesMax: number): Promise<Buffer> {
  const url = new URL(AGENT_PATH, edgeUrl);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new UpdateError(`the download failed: ${error.message}`));
    const take = (answer: IncomingMessage) => {
      if (answer.statusCode !== 200) {
        answer.destroy();
        return fail(new Error(`HTTP ${answer.statusCode}`));
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes <= bytesMax) return;
        answer.destroy();
        fail(new Error(`it is larger than the offered ${bytesMax} bytes`));
      });
      // Not "end": an answer that is cut off never emits it.
      answer.on("close", () => resolve(Buffer.concat(chunks)));
      answer.on("error", () => {});
    };
    const signal = AbortSignal.timeout(DOWNLOAD_MS);
    const headers = { "accept-encoding": "identity" };
    const socket = edgeSocket === null ? {} : { socketPath: edgeSocket };
    send(url, { ...socket, headers, signal }, take)
      .on("error", fail)
      .end();
  });
}

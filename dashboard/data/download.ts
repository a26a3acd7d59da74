/**
 * Saves a response of `/api` as a file. Uses fetch rather than a link, so that a
 * refusal is shown on the page.
 */
import { type CallOptions, call } from "./api.ts";

export async function download(
  path: string,
  options: CallOptions,
  filename: string,
): Promise<void> {
  const url = URL.createObjectURL(await (await call("GET", path, options)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  // Some browsers read the URL only after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Returns the time for use in a file name: `2026-11-24T11-04`. */
export const stamp = (): string => new Date().toISOString().slice(0, 16).replace(":", "-");

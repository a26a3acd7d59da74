/** Saves what `/api` answers as a file. By fetch, and not by a link: the key is in a header. */
import { type Asked, call } from "./api.ts";

export async function download(path: string, asked: Asked, filename: string): Promise<void> {
  const url = URL.createObjectURL(await (await call("GET", path, asked)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  // Some browsers read it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** For names of files: `2026-11-24T11-04`. */
export const stamp = (): string => new Date().toISOString().slice(0, 16).replace(":", "-");

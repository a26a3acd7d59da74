/** Folders for state: private, and made one at a time. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes the folder, mode 0700, and those above it. Not `mkdir` with `recursive`: Node's never
 * returns where a file system answers ENOENT, as /proc does.
 * @throws the system's error.
 */
export function makeStateFolder(path: string): void {
  if (existsSync(path)) return;
  makeStateFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

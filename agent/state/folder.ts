/** Private state folders, created one level at a time. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Creates the folder with mode 0700, and its missing parents. Not `mkdir` with `recursive`: Node's
 * never returns if a file system answers ENOENT, as /proc does.
 * @throws the system's error
 */
export function makeStateFolder(path: string): void {
  if (existsSync(path)) return;
  makeStateFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/**
 * A global setup: ends the main process of Vitest as soon as its event loop is empty.
 *
 * After thousands of children and sockets, Node 24 may wait forever in its own cleanup for handles to
 * close. Exiting in the "exit" event skips that cleanup and keeps the exit code.
 */
export default function setup(): void {
  process.once("exit", () => process.exit());
}

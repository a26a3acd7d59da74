/** `npm run demo` as a child process, for screenshots and measurements of the page. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { startReaper } from "../../local/reaping.ts";
import { eventually, freePort } from "./stack.ts";

const STOP_MS = 15_000;

export type Demo = AsyncDisposable & { url: string };

export async function startDemo(): Promise<Demo> {
  const folder = mkdtempSync(join(tmpdir(), "demo-"));
  const port = await freePort();
  const reaper = startReaper();
  const { npm_lifecycle_event: _, ...own } = process.env;
  const lines: string[] = [];
  const child = new Child(
    {
      name: "demo",
      args: [join(ROOT, "local/start.ts"), "--demo"],
      env: { ...own, PORT: String(port), STATE_DIR: folder },
      cwd: ROOT,
      onLine: (line) => lines.push(line),
    },
    reaper,
  );
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await child.stop(STOP_MS);
    reaper.close();
    rmSync(folder, { recursive: true, force: true });
  };
  await eventually(
    async () => lines.includes(`ready ${url}`) || child.hasEnded,
    () => lines.join("\n"),
  );
  if (child.hasEnded) {
    await stop();
    throw new Error(lines.join("\n"));
  }
  return { url, [Symbol.asyncDispose]: stop };
}

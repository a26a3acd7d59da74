/** The scenes of the demo, which show what several boxes do, one after the other without its other traffic. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReaper } from "../../local/reaping.ts";
import { localSettingsOf } from "../../local/settings.ts";
import { SCENES } from "../../local/several-boxes.ts";
import { DEMO_BOXES } from "../../local/simulation.ts";
import { Stack } from "../../local/stack.ts";
import { askerOf, untilAllListed } from "../../local/traffic.ts";
import { Logs } from "../../protocol/api/logs.ts";
import { buildOnce } from "../support/built.ts";
import { freePort } from "../support/stack.ts";

test("the demo opens on half an hour of requests, and shows a restart without a failed call, a failover, a spill and a queue", async () => {
  buildOnce();
  const folder = mkdtempSync(join(tmpdir(), "demo-test-"));
  const settings = localSettingsOf({ PORT: String(await freePort()), STATE_DIR: folder }, "demo");
  const reaper = startReaper();
  const lines: string[] = [];
  const print = (line: string) => lines.push(line);
  const stack = new Stack(settings, reaper, print);
  try {
    await stack.start({ kind: "demo", boxes: DEMO_BOXES }, ({ name }) => print(`${name} died`));
    await untilAllListed(stack.url, null);
    for (const scene of SCENES) await scene({ stack, print, ask: askerOf(stack.url, null) });
    const printed = lines.join("\n");
    expect(printed).toMatch(/[1-9]\d* calls for mistral came during the restart; 0 failed/);
    expect(printed).toMatch(/6 of 6 calls succeeded, [1-6] of them on \w+ after a failover/);
    expect(printed).toMatch(/[1-9]\d* spilled to \w+, which loaded the model/);
    expect(printed).toMatch(/positions in the queue \(X-Queue-Position\): [\d, ]*\b[3-7]\b/);
    const answer = await fetch(`${stack.url}/api/stats/logs?limit=1000`);
    const { logs } = Logs.parse(await answer.json());
    const seeded = logs.filter(({ source }) => source === "listener");
    expect(seeded.length).toBeGreaterThan(200);
    expect(seeded.every(({ simulated }) => simulated === true)).toBe(true);
    const failed = logs.filter((log) => log.status !== "success" && !seeded.includes(log));
    expect(failed).toEqual([]);
    const costs = logs.filter((log) => !seeded.includes(log) && log.energy_j !== null);
    expect(costs.map(({ cost_currency }) => cost_currency)).toContain("EUR");
    const reasons = new Set(logs.map(({ route_reason }) => route_reason));
    expect([...reasons]).toEqual(expect.arrayContaining(["only-holder", "failover", "spill"]));
    expect(logs.filter(({ moved_from }) => moved_from !== null).length).toBeGreaterThan(0);
  } finally {
    await stack.stop(0);
    reaper.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

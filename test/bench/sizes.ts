/** Sizes: of what Cloudflare runs, of what a box runs, and of what `npm start` installs. */
import { readFileSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { AGENT } from "../../local/edge.ts";
import { startPackagesMb } from "../support/start-packages.ts";
import { type Figure, type Goal, round } from "./figures.ts";

const MB = 2 ** 20;

/** @param worker  the file of the bundled Worker */
export function measureSizes(worker: string): Figure[] {
  const programs = [
    ["S.worker", "the bundled Worker", worker],
    ["S.agent", "agent.mjs", AGENT],
  ] as const;
  return [
    ...programs.map(([id, name, path]) =>
      sizeOf(id, name, statSync(path).size / MB, {
        gzipped_mb: round(gzipSync(readFileSync(path)).length / MB),
      }),
    ),
    sizeOf("S.start", "node_modules of npm start", startPackagesMb(), {}, [
      { atMost: 450 },
      { atMost: 250 },
    ]),
  ];
}

const sizeOf = (
  id: string,
  name: string,
  mb: number,
  detail: Figure["detail"],
  [goal_now, goal]: [Goal | null, Goal | null] = [null, null],
): Figure => ({
  ...{ id, name: `size of ${name}`, value: round(mb), unit: "MB", spread: null },
  ...{ goal_now, goal, detail },
});

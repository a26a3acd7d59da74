/** The suites, in full for `npm run test:faults`, and in short slices for `npm test`. */
import type { Finding } from "./figures.ts";
import { halfOpen } from "./half-open.ts";
import { records } from "./records.ts";
import { grace, resume } from "./resume.ts";
import type { Setting } from "./suite.ts";

type Suite = (setting: Setting) => Promise<Finding[]>;

const MINUTE_MS = 60_000;

export const SUITES = {
  resume: {
    full: (setting) => resume(setting, { cuts: 1_000, streams: 64, stormMs: 10_000 }),
    slice: (setting) => resume(setting, { cuts: 12, streams: 16, stormMs: 1_000 }),
  },
  grace: { full: grace, slice: grace },
  "half-open": {
    full: (setting) => halfOpen(setting, { rounds: 20, streams: 64, edge: true }),
    slice: (setting) => halfOpen(setting, { rounds: 1, streams: 8, edge: false }),
  },
  records: {
    full: (setting) => records(setting, { workerd: 1_000, agent: 1_000, mixed: 500, limitMs: 10 * MINUTE_MS }),
    slice: (setting) => records(setting, { workerd: 10, agent: 6, mixed: 6, limitMs: MINUTE_MS }),
  },
} as const satisfies Record<string, { full: Suite; slice: Suite }>;

export type SuiteName = keyof typeof SUITES;

/** The suites, complete for `npm run test:faults` and as short slices for `npm test`. */
import { IDS_MAX } from "../../agent/spool/ids.ts";
import { clock } from "./clock.ts";
import { deliver } from "./deliver.ts";
import { deploy } from "./deploy.ts";
import { diskFull } from "./disk-full.ts";
import { slowloris, soak } from "./endurance.ts";
import type { Finding } from "./figures.ts";
import { grace } from "./grace.ts";
import { halfOpen } from "./half-open.ts";
import { killing } from "./killing.ts";
import { loss } from "./loss.ts";
import { messages } from "./messages.ts";
import { resume } from "./resume.ts";
import { slowCaller } from "./slow-caller.ts";
import { stall } from "./stall.ts";
import type { Setting } from "./suite.ts";
import { tooBig } from "./too-big.ts";
import { twin } from "./twin.ts";

/** The Worker dies while calls move from a box that has just died to the other one. */
const MOVING = [
  ["ollama", "workerd"],
  ["twin-ollama", "workerd"],
] as const;

type Suite = (setting: Setting) => Promise<Finding[]>;

const MINUTE_MS = 60_000;
const LONG_MS = 10 * MINUTE_MS;

export const SUITES = {
  resume: {
    full: (setting) =>
      resume(setting, { cuts: 1_000, streams: 64, tokens: 150, stormMs: 20_000, limitMs: LONG_MS }),
    slice: (setting) =>
      resume(setting, { cuts: 12, streams: 16, tokens: 50, stormMs: 1_000, limitMs: MINUTE_MS }),
  },
  grace: { full: grace, slice: grace },
  "half-open": {
    full: (setting) => halfOpen(setting, { rounds: 10, streams: 64, tokens: 150, edge: true }),
    slice: (setting) => halfOpen(setting, { rounds: 1, streams: 8, tokens: 100, edge: false }),
  },
  stall: {
    full: (setting) => stall(setting, { streams: 64, outages: 10 }),
    slice: (setting) => stall(setting, { streams: 8, outages: 1 }),
  },
  loss: {
    full: (setting) => loss(setting, { streams: 64, seconds: 60 }),
    slice: (setting) => loss(setting, { streams: 8, seconds: 3 }),
  },
  "kill-workerd": {
    full: (setting) =>
      killing(setting, { id: "R1", parts: [["workerd"]], kills: 1_000, limitMs: LONG_MS }),
    slice: (setting) =>
      killing(setting, { id: "R1", parts: [["workerd"]], kills: 10, limitMs: MINUTE_MS }),
  },
  "kill-agent": {
    full: (setting) =>
      killing(setting, { id: "R2", parts: [["agent"]], kills: 1_000, limitMs: LONG_MS }),
    slice: (setting) =>
      killing(setting, { id: "R2", parts: [["agent"]], kills: 6, limitMs: MINUTE_MS }),
  },
  "kill-mixed": {
    full: (setting) =>
      killing(setting, {
        id: "R3",
        parts: [["agent"], ["workerd"], ["ollama"]],
        kills: 500,
        limitMs: LONG_MS,
      }),
    slice: (setting) =>
      killing(setting, {
        id: "R3",
        parts: [["agent"], ["workerd"], ["ollama"]],
        kills: 8,
        limitMs: MINUTE_MS,
      }),
  },
  "kill-moving": {
    full: (setting) =>
      killing(setting, { id: "R5", parts: MOVING, kills: 500, limitMs: 15 * MINUTE_MS }),
    slice: (setting) => killing(setting, { id: "R5", parts: MOVING, kills: 5, limitMs: MINUTE_MS }),
  },
  twin: {
    full: (setting) => twin(setting, { kills: 1_000, limitMs: 20 * MINUTE_MS }),
    slice: (setting) => twin(setting, { kills: 10, limitMs: MINUTE_MS }),
  },
  deliver: {
    full: (setting) => deliver(setting, { batches: 600, kills: 300, unconfirmed: 20 }),
    slice: (setting) => deliver(setting, { batches: 8, kills: 4, unconfirmed: 1 }),
  },
  "slow-caller": {
    full: (setting) => slowCaller(setting, { rounds: 6, fast: 63, callsPerRound: 4 }),
    slice: (setting) => slowCaller(setting, { rounds: 1, fast: 16, callsPerRound: 1 }),
  },
  "too-big": { full: tooBig, slice: tooBig },
  "disk-full": {
    full: (setting) => diskFull(setting, { calls: 500, localCalls: 11_000 }),
    slice: (setting) => diskFull(setting, { calls: 40, localCalls: 0 }),
  },
  clock: {
    full: (setting) => clock(setting, { everyWay: true }),
    slice: (setting) => clock(setting, { everyWay: false }),
  },
  deploy: {
    full: (setting) => deploy(setting, { deploys: 10, streams: 64, wrangler: true }),
    slice: (setting) => deploy(setting, { deploys: 1, streams: 16, wrangler: false }),
  },
  slowloris: {
    full: (setting) => slowloris(setting, { sockets: 1_000, rounds: 4, calls: 400 }),
    slice: (setting) => slowloris(setting, { sockets: 100, rounds: 1, calls: 50 }),
  },
  /** Each concern lasts minutes first, so it has no slice. */
  messages: { full: messages },
  soak: {
    full: (setting) => soak(setting, { warmCalls: IDS_MAX + 2_000, seconds: 180 }),
    slice: (setting) => soak(setting, { warmCalls: 20, seconds: 3 }),
  },
} as const satisfies Record<string, { full: Suite; slice?: Suite }>;

export type SuiteName = keyof typeof SUITES;

/** The faults of a world: how each kind is caused, and when. */
import type { SimulatedBox } from "./box.ts";
import type { Chance } from "./chance.ts";
import type { Chronicle } from "./chronicle.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { Network } from "./network.ts";
import type { SimulatedOllama } from "./ollama.ts";
import type { Schedule } from "./schedule.ts";

/** Faults happen in the first minute of a world. */
export const FAULTS_UNTIL_MS = 60_000;

const HOUR_MS = 3_600_000;

const AT_THE_BEGINNING = [
  "cutTunnel",
  "cutAttach",
  "restartBox",
  "stallAndWipe",
  "stallAndPowerCut",
] as const;

export type FaultyWorld = {
  schedule: Schedule;
  chance: Chance;
  chronicle: Chronicle;
  network: Network;
  box: SimulatedBox;
  disk: SimulatedDisk;
  ollama: SimulatedOllama;
  trace(line: string): void;
  killAgent(why: string): void;
  /** The agent of the next process is another one: its state is lost. */
  replaceAgent(): void;
  killWorker(): void;
  /** Moves the agent's wall clock. */
  skewClock(ms: number): void;
  /** Requests without a record may stay without one. */
  excuseUnrecorded(why: string): void;
};

/** How often a world has no faults, and how many it has at most. */
type Spread = { calm: number; most: number };

/**
 * Schedules the faults of a world, which has a few kinds, so that each kind also occurs alone, and in
 * storms. Returns their number.
 */
export function planFaults(
  { schedule, chance }: Pick<FaultyWorld, "schedule" | "chance">,
  names: readonly string[],
  { calm, most }: Spread,
  cause: (kind: string) => void,
): number {
  const chosen = Array.from({ length: chance.whole(1, 4) }, () => chance.pick(names));
  const faults = chance.isLikely(calm) ? 0 : chance.whole(1, most);
  for (let i = 0; i < faults; i++) {
    const kind = chance.pick(chosen);
    schedule.after(chance.between(0, FAULTS_UNTIL_MS), () => cause(kind));
  }
  return faults;
}

export class Faults {
  readonly #world: FaultyWorld;
  readonly #kinds: Record<string, () => void>;
  #isTroubled = false;

  constructor(world: FaultyWorld) {
    this.#world = world;
    this.#kinds = kindsOf(world);
  }

  /** True if this world has faults. */
  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  /** Schedules the faults. */
  plan(): void {
    const spread = { calm: 0.1, most: 25 };
    const names = Object.keys(this.#kinds);
    this.#isTroubled = planFaults(this.#world, names, spread, (kind) => this.cause(kind)) > 0;
  }

  /** Much can go wrong while a stream begins, and chance alone rarely finds that moment. */
  streamBegins(): void {
    const { schedule, chance } = this.#world;
    const kind = chance.pick(AT_THE_BEGINNING);
    if (!this.#isTroubled || !chance.isLikely(0.15)) return;
    schedule.after(chance.between(0, chance.pick([5, 200])), () => this.cause(kind));
  }

  cause(kind: string): void {
    this.note(kind);
    this.#kinds[kind]?.();
  }

  /** Notes a fault in the chronicle, which judges late cancellations by it. */
  note(fault: string): void {
    const { chronicle, schedule, trace } = this.#world;
    chronicle.faults++;
    trace(`fault: ${fault}`);
    if (/cut|Box|registry/.test(fault)) chronicle.cutsMs.push(schedule.nowMs);
  }

  /** Repairs everything that does not repair itself. */
  mend(): void {
    const { network, disk, ollama } = this.#world;
    network.mend();
    disk.isFull = false;
    ollama.isDown = false;
  }
}

function kindsOf(world: FaultyWorld): Record<string, () => void> {
  const { schedule, chance, network, box, disk, ollama } = world;
  const later = (fromMs: number, toMs: number, run: () => void) =>
    void schedule.after(chance.between(fromMs, toMs), run);
  const kinds = {
    cutTunnel: () => network.cutTunnel(),
    swallow: () => network.swallow(),
    stall: () => network.stall(),
    stallAndWipe: () => {
      kinds.stall();
      later(0, 500, kinds.wipe);
    },
    stallAndPowerCut: () => {
      kinds.stall();
      later(0, 100, kinds.powerCut);
    },
    cutPath: () => {
      network.cutTunnel();
      network.goDown(10, chance.isLikely(0.2) ? 45_000 : 10_000);
    },
    swallowPath: () => {
      network.swallow();
      network.goDown(10, 40_000);
    },
    cutCaller: () => network.cutCaller(),
    cutAttach: () => network.cutNewestCaller(),
    restartBox: () => box.restart(),
    hibernate: () => box.hibernate(),
    moveBox: () => {
      box.restart();
      network.goDown(10, 2_000);
    },
    killAgent: () => world.killAgent("SIGKILL"),
    powerCut: () => {
      world.killAgent("power cut");
      disk.powerCut();
      world.excuseUnrecorded("a power cut");
    },
    wipe: () => {
      world.killAgent("its state is lost");
      disk.wipe();
      world.replaceAgent();
      world.excuseUnrecorded("the state of the agent was lost");
    },
    killWorker: () => world.killWorker(),
    fillDisk: () => {
      disk.isFull = true;
      later(1, 12_000, () => {
        disk.isFull = false;
      });
    },
    moveClock: () => {
      world.skewClock(chance.pick([0, HOUR_MS, -HOUR_MS, 90 * 24 * HOUR_MS, -90 * 24 * HOUR_MS]));
    },
    stopOllama: () => {
      ollama.isDown = true;
      later(1, 12_000, () => {
        ollama.isDown = false;
      });
    },
  };
  return kinds;
}

/** The faults of a world with several boxes: how each kind is caused, and when. */
import type { Chance } from "../chance.ts";
import { FAULTS_UNTIL_MS, planFaults } from "../faults.ts";
import type { Schedule } from "../schedule.ts";
import type { Machine } from "./machine.ts";

export type FaultyFleet = {
  schedule: Schedule;
  chance: Chance;
  machines: readonly Machine[];
  killIsolate(): void;
  /** The objects that count for keys are killed. */
  killQuotas(): void;
  moveQuotaClocks(): void;
  trace(line: string): void;
};

const AWAY_MS = 12_000;

export class FleetFaults {
  readonly #world: FaultyFleet;
  readonly #kinds: Record<string, (machine: Machine) => void>;
  #isTroubled = false;
  count = 0;

  constructor(world: FaultyFleet) {
    this.#world = world;
    this.#kinds = kindsOf(world);
  }

  /** True if this world has faults. */
  get isTroubled(): boolean {
    return this.#isTroubled;
  }

  /** Schedules the faults. */
  plan(): void {
    const spread = { calm: 0.15, most: 16 };
    const names = Object.keys(this.#kinds);
    this.#isTroubled = planFaults(this.#world, names, spread, (kind) => this.cause(kind)) > 0;
  }

  /** A box has just got a call: faults at that moment matter most. */
  callBegins(machine: Machine): void {
    const { schedule, chance } = this.#world;
    const kind = chance.pick(["die", "fail", "loseModel", "killAgent", "cutTunnel", "restartBox"]);
    if (!this.#isTroubled || !chance.isLikely(0.04) || schedule.nowMs > FAULTS_UNTIL_MS) return;
    const afterMs = chance.between(0, chance.pick([5, 200, 2_000]));
    schedule.after(afterMs, () => this.cause(kind, machine));
  }

  cause(kind: string, at: Machine = this.#world.chance.pick(this.#world.machines)): void {
    this.count++;
    at.troubledMs = this.#world.schedule.nowMs;
    this.#world.trace(`fault: ${kind} of ${at.plan.name}`);
    this.#kinds[kind]?.(at);
  }

  /** Repairs everything that does not repair itself. */
  mend(): void {
    for (const { network, ollama } of this.#world.machines) {
      network.mend();
      ollama.back();
      ollama.resume();
      ollama.failing = 0;
    }
  }
}

function kindsOf(world: FaultyFleet): Record<string, (machine: Machine) => void> {
  const { schedule, chance } = world;
  const later = (run: () => void) => void schedule.after(chance.between(1, AWAY_MS), run);
  const kinds = {
    /** Ollama is killed, and its service starts it again. */
    die: ({ ollama }: Machine) => {
      ollama.die();
      later(() => ollama.back());
    },
    /** The next requests are answered with a failure. */
    fail: ({ ollama }: Machine) => {
      ollama.failing += chance.whole(1, 4);
      later(() => {
        ollama.failing = 0;
      });
    },
    /** Somebody deletes a model on the box itself, and pulls it again later, or not. */
    loseModel: ({ ollama }: Machine) => {
      const lost = chance.pick([...ollama.onDisk.values()]);
      if (lost === undefined) return;
      ollama.onDisk.delete(lost.name);
      ollama.lost.add(lost.name);
      if (chance.isLikely(0.5)) later(() => ollama.onDisk.set(lost.name, lost));
    },
    hang: (machine: Machine) => {
      machine.ollama.hang();
      if (chance.isLikely(0.5)) later(() => machine.ollama.resume());
      else later(() => kinds.die(machine));
    },
    restartAgent: (machine: Machine) => machine.restart(),
    killAgent: (machine: Machine) => machine.kill(),
    cutTunnel: ({ network }: Machine) => network.cutTunnel(),
    swallow: ({ network }: Machine) => network.swallow(),
    cutPath: ({ network }: Machine) => {
      network.cutTunnel();
      network.goDown(10, chance.isLikely(0.2) ? 45_000 : 10_000);
    },
    cutCaller: ({ network }: Machine) => network.cutNewestCaller(),
    restartBox: ({ box }: Machine) => box.restart(),
    hibernate: ({ box }: Machine) => box.hibernate(),
    killIsolate: () => world.killIsolate(),
    killQuotas: () => world.killQuotas(),
    moveQuotaClocks: () => world.moveQuotaClocks(),
  };
  return kinds;
}

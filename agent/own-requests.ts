/** The requests that the agent itself sends: those of a bench, and the loads of pinned models. */
import type { OpenRequest } from "../protocol/inventory.ts";
import { BoxBench, type BoxBenchShell } from "./bench/box-bench.ts";
import { BoxKeeper, type BoxKeeperShell } from "./keep/box-keeper.ts";
import type { KeptPins } from "./keep/kept-pins.ts";
import type { InventoryPoller } from "./readings/inventory.ts";
import type { RequestSource } from "./readings/open-requests.ts";

type Shell = Omit<BoxBenchShell & BoxKeeperShell, "inventory" | "isBenching"> & {
  inventory: Pick<InventoryPoller, "latest" | "refresh" | "expect">;
  /** Returns the open requests of callers. */
  others(): readonly OpenRequest[];
};

export class OwnRequests {
  readonly bench: BoxBench;
  readonly keeper: BoxKeeper;

  constructor(pins: KeptPins | null, shell: Shell) {
    const keeper = new BoxKeeper({ ...shell, isBenching: () => this.bench.isRunning }, pins);
    const others = () => [...shell.others(), ...keeper.requests];
    this.bench = new BoxBench({ ...shell, others });
    this.keeper = keeper;
  }

  get sources(): RequestSource[] {
    return [this.bench.source, this.keeper];
  }

  stop(): void {
    this.bench.stop();
    this.keeper.stop();
  }
}

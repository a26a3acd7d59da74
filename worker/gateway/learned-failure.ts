/** Corrects the known fleet by the failure of a box, so that the next call chooses another one. */
import { withTag } from "../../protocol/inventory.ts";
import type { FailureReason } from "../errors.ts";
import type { MoveReason } from "./failover.ts";
import { correctBox, correctFleet, type Invocation, refreshFleet } from "./known-fleet.ts";

/** @param model  the model of the call that failed; null if it needs none */
export function learnFailure(
  shell: Invocation,
  box: string,
  reason: MoveReason,
  model: string | null,
): void {
  switch (reason) {
    case "ollama_unreachable":
    case "no_answer":
      correctBox(box, { is_reachable: false });
      break;
    case "draining":
      correctBox(box, { state: "draining" });
      break;
    case "tunnel_lost":
      correctBox(box, { state: "down" });
      break;
    case "model_not_found":
      if (model !== null) forgetModel(box, withTag(model));
  }
  refreshFleet(shell);
}

/** @param failure  why the Box did not take a call */
export function learnRefusal(box: string, { reason }: FailureReason): void {
  if (reason === "box_down") correctBox(box, { state: "down", last_seen_ms: 0 });
  if (reason === "box_draining") correctBox(box, { state: "draining", last_seen_ms: 0 });
}

function forgetModel(name: string, model: string): void {
  const others = (names: string[]) => names.filter((each) => withTag(each) !== model);
  correctFleet(({ boxes }) => ({
    boxes: boxes.map((box) =>
      box.name === name
        ? { ...box, loaded: others(box.loaded), installed: others(box.installed) }
        : box,
    ),
  }));
}

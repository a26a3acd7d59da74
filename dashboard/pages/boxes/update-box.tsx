/** The confirmation that updates the agent of a box, and a text about its last update. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import { callJson } from "../../data/api.ts";
import { refreshNow } from "../../data/live.ts";
import { Confirm } from "../../parts/dialog.tsx";

type Props = { box: string; onClose: () => void };

export const UpdateBox = ({ box, onClose }: Props) => (
  <Confirm
    title={`Update ${box}`}
    text={`The agent of ${box} downloads the one of this edge, finishes its open requests, and restarts into it. If the new one does not connect within a minute, the old one runs again.`}
    action={`Update ${box}`}
    onConfirm={async () => {
      await callJson("POST", "/api/boxes/{name}/update", { params: { name: box } });
      refreshNow();
    }}
    onClose={onClose}
  />
);

/** Checks that the box has another agent than this edge, and takes it from here. */
export const canUpdate = ({ state, agent_current, takes_updates }: LiveBox): boolean =>
  state === "up" && !agent_current && takes_updates === "yes";

const STATES: Record<NonNullable<LiveBox["update"]>["state"], string> = {
  updating: "updating",
  updated: "updated",
  failed: "update failed",
  rolled_back: "update rolled back",
};

export function updateText({ agent_current, update }: LiveBox): string | null {
  if (agent_current) return null;
  if (update === null || update.state === "updated") return "not the edge's";
  return [STATES[update.state], update.reason].filter((part) => part !== null).join(": ");
}

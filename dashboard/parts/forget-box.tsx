/** The confirmation that removes a box from this edge. */
import type { LiveBox } from "../../protocol/api/live.ts";
import { callJson } from "../data/api.ts";
import { refreshNow } from "../data/live.ts";
import { Confirm } from "./dialog.tsx";

type Props = { box: Pick<LiveBox, "name" | "admission">; onClose: () => void };

export const ForgetBox = ({ box: { name, admission }, onClose }: Props) => (
  <Confirm
    title={`Forget ${name}`}
    text={`Removes ${name} and its pins from this edge. ${RETURNS[admission === "certificate" ? "joined" : "other"]} Its requests stay in the logs and in all sums.`}
    phrase={name}
    action={`Forget ${name}`}
    onConfirm={async () => {
      await callJson("DELETE", "/api/boxes/{name}", { params: { name } });
      refreshNow();
    }}
    onClose={onClose}
  />
);

const RETURNS = {
  joined:
    "Takes its certificate back and closes its tunnel within a second, which ends its open requests. It cannot return unless it joins again.",
  other: "It reappears if it connects again.",
};

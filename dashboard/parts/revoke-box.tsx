/** The confirmation that takes away the certificate of a box. */
import { callJson } from "../data/api.ts";
import { refreshNow } from "../data/live.ts";
import { Confirm } from "./dialog.tsx";

type Props = { box: string; onClose: () => void };

export const RevokeBox = ({ box, onClose }: Props) => (
  <Confirm
    title={`Revoke ${box}`}
    text={`Closes the tunnel of ${box} within a second, and ends its open requests. It cannot return unless it joins again. Its history stays.`}
    action={`Revoke ${box}`}
    isDangerous
    onConfirm={async () => {
      await callJson("POST", "/api/boxes/{name}/revoke", { params: { name: box } });
      refreshNow();
    }}
    onClose={onClose}
  />
);

/** The confirmation that removes a box which will not come back. */
import { callJson } from "../data/api.ts";
import { refreshNow } from "../data/live.ts";
import { Confirm } from "./dialog.tsx";

export const ForgetBox = ({ box, onClose }: { box: string; onClose: () => void }) => (
  <Confirm
    title={`Forget ${box}`}
    text={`Removes ${box} from this edge. Its requests stay counted. It reappears if it connects again.`}
    phrase={box}
    action={`Forget ${box}`}
    onConfirm={async () => {
      await callJson("DELETE", "/api/boxes/{name}", { params: { name: box } });
      refreshNow();
    }}
    onClose={onClose}
  />
);

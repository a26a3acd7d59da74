/** Replaces a key by one with the same rights. The old one works on for a while. */
import { useRef, useState } from "preact/hooks";
import type { Key, MadeKey } from "../../../protocol/api/keys.ts";
import { callJson } from "../../data/api.ts";
import { Confirm } from "../../parts/dialog.tsx";

const OVERLAPS = [
  { seconds: 0, name: "Not at all" },
  { seconds: 3_600, name: "1 hour" },
  { seconds: 86_400, name: "1 day" },
  { seconds: 7 * 86_400, name: "7 days" },
];

type Props = { replaced: Key; onMade: (made: MadeKey) => void; onClose: () => void };

export function RotateDialog({ replaced: { id, name }, onMade, onClose }: Props) {
  const [seconds, setSeconds] = useState(86_400);
  const made = useRef<MadeKey | null>(null);
  return (
    <Confirm
      title={`Rotate ${name}`}
      text="Makes a key with the same rights, and shows it once. Set up the client with it before the old key ends."
      action="Make new key"
      onConfirm={async () => {
        made.current = await callJson("POST", "/api/keys/{id}/rotate", {
          params: { id },
          body: { overlap_s: seconds },
        });
      }}
      onConfirmed={() => made.current !== null && onMade(made.current)}
      onClose={onClose}
    >
      <label class="field">
        <span>The old key works on for</span>
        <select value={seconds} onChange={(event) => setSeconds(Number(event.currentTarget.value))}>
          {OVERLAPS.map((overlap) => (
            <option key={overlap.seconds} value={overlap.seconds}>
              {overlap.name}
            </option>
          ))}
        </select>
      </label>
    </Confirm>
  );
}

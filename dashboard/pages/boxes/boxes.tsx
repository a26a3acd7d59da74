/** The Boxes page: adds a box, shows how each may connect, and takes boxes away. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import { callJson } from "../../data/api.ts";
import { live, refreshNow } from "../../data/live.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { hasScope } from "../../data/self.ts";
import { Empty, Section, Skeleton } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { ForgetBox } from "../../parts/forget-box.tsx";
import { AddBox } from "./add-box.tsx";
import { BoxTable } from "./box-table.tsx";

type Asked = { act: "revoke" | "forget"; box: LiveBox };

export function BoxesPage() {
  const isAdding = place.value.query.add !== undefined;
  const setIsAdding = (isOn: boolean) => replaceQuery("boxes", { add: isOn ? "box" : undefined });
  const [asked, setAsked] = useState<Asked | null>(null);
  const boxes = live.value?.value.boxes ?? null;
  const isAdmin = hasScope("admin");
  const add = isAdmin && !isAdding && (
    <button type="button" class="primary" onClick={() => setIsAdding(true)}>
      Add a box
    </button>
  );
  return (
    <>
      {isAdding && isAdmin && <AddBox onClose={() => setIsAdding(false)} />}
      <Section title="Boxes" aside={add}>
        {boxes === null && <Skeleton lines={3} />}
        {boxes?.length === 0 && (
          <Empty title="No boxes have connected yet">
            <p>A box is a machine with Ollama. One line on it connects it to this edge.</p>
          </Empty>
        )}
        {boxes !== null && boxes.length > 0 && (
          <BoxTable
            boxes={boxes}
            {...(isAdmin && {
              revoke: (box: LiveBox) => setAsked({ act: "revoke", box }),
              forget: (box: LiveBox) => setAsked({ act: "forget", box }),
            })}
          />
        )}
      </Section>
      {asked?.act === "revoke" && (
        <RevokeDialog box={asked.box.name} onClose={() => setAsked(null)} />
      )}
      {asked?.act === "forget" && <ForgetBox box={asked.box} onClose={() => setAsked(null)} />}
    </>
  );
}

type Props = { box: string; onClose: () => void };

const RevokeDialog = ({ box, onClose }: Props) => (
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

/** The Boxes page: adds a box, shows how each may connect, and takes boxes away. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import { live } from "../../data/live.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { hasScope } from "../../data/self.ts";
import { Empty, Section, Skeleton } from "../../parts/basics.tsx";
import { ForgetBox } from "../../parts/forget-box.tsx";
import { RevokeBox } from "../../parts/revoke-box.tsx";
import { AddBox } from "./add-box.tsx";
import { BoxTable } from "./box-table.tsx";
import { UpdateBox } from "./update-box.tsx";

type Asked =
  | { act: "revoke"; box: Pick<LiveBox, "name"> }
  | { act: "forget" | "update"; box: LiveBox };

export function BoxesPage() {
  const isAdding = place.value.query.add !== undefined;
  const setIsAdding = (isOn: boolean) => replaceQuery("boxes", { add: isOn ? "box" : undefined });
  const [asked, setAsked] = useState<Asked | null>(null);
  const boxes = live.value?.value.boxes ?? null;
  const neverConnected = live.value?.value.never_connected ?? [];
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
        {boxes?.length === 0 && neverConnected.length === 0 && (
          <Empty title="No boxes have connected yet">
            <p>A box is a machine with Ollama. One line on it connects it to this edge.</p>
          </Empty>
        )}
        {boxes !== null && boxes.length + neverConnected.length > 0 && (
          <BoxTable
            boxes={boxes}
            neverConnected={neverConnected}
            {...(isAdmin && {
              revoke: (box: Pick<LiveBox, "name">) => setAsked({ act: "revoke", box }),
              forget: (box: LiveBox) => setAsked({ act: "forget", box }),
              update: (box: LiveBox) => setAsked({ act: "update", box }),
            })}
          />
        )}
      </Section>
      {asked?.act === "revoke" && <RevokeBox box={asked.box.name} onClose={() => setAsked(null)} />}
      {asked?.act === "update" && <UpdateBox box={asked.box.name} onClose={() => setAsked(null)} />}
      {asked?.act === "forget" && <ForgetBox box={asked.box} onClose={() => setAsked(null)} />}
    </>
  );
}

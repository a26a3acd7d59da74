/** A table of boxes with how each may connect; on a phone each box is a card. */
import type { NeverConnected } from "../../../protocol/api/fleet.ts";
import type { LiveBox } from "../../../protocol/api/live.ts";
import { preferences } from "../../data/preferences.ts";
import { Ago, Moment, Pill, TableScroll } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { ActionsHead, RowAction } from "../../parts/row-actions.tsx";
import { Heads } from "../../parts/table-heads.tsx";
import { bytes, UNKNOWN } from "../../shape/format.ts";
import { STATE_TONES } from "../overview/fleet.tsx";
import { canUpdate, updateText } from "./update-box.tsx";

type Act = (box: LiveBox) => void;
type Props = {
  boxes: readonly LiveBox[];
  neverConnected: readonly NeverConnected[];
  revoke?: (box: Pick<LiveBox, "name">) => void;
  forget?: Act;
  update?: Act;
};

const ADMISSIONS: Record<NonNullable<LiveBox["admission"]>, string> = {
  certificate: "Certificate",
  secret: "Secret in BOX_SECRETS",
  open: "Open edge",
};

export const BoxTable = ({ boxes, neverConnected, ...acts }: Props) => (
  <TableScroll label="Table of boxes">
    <table class="keys boxes">
      <thead>
        <tr>
          <Heads names={["Name", "State", "GPU", "Models in memory", "Admitted by", "Agent"]} />
          {acts.forget && <ActionsHead />}
        </tr>
      </thead>
      <tbody>
        {boxes.map((box) => (
          <Row key={box.name} box={box} {...acts} />
        ))}
        {neverConnected.map((box) => (
          <NeverRow key={box.name} box={box} {...acts} />
        ))}
      </tbody>
    </table>
  </TableScroll>
);

type Acts = Omit<Props, "boxes" | "neverConnected">;

function Row({ box, revoke, forget, update }: { box: LiveBox } & Acts) {
  const isDown = box.state === "down";
  const agentText = updateText(box);
  const loaded = isDown ? UNKNOWN : box.loaded.map(({ name }) => name).join(", ") || "None";
  return (
    <tr>
      <th scope="row">
        <BoxCell box={box.name} simulated={box.simulated} isLink />
      </th>
      <td data-name="State">
        <Pill tone={STATE_TONES[box.state]}>{box.state}</Pill>
        {isDown && (
          <span class="below">
            seen <Ago iso={box.last_seen} />
          </span>
        )}
      </td>
      <td class="wrap" data-name="GPU">
        {gpuText(box)}
      </td>
      <td class="wrap" data-name="Models in memory">
        <span class="box-loaded" title={loaded}>
          {loaded}
        </span>
      </td>
      <td data-name="Admitted by">
        {box.admission === null ? <Pill tone="warn">not admitted</Pill> : ADMISSIONS[box.admission]}
        {box.joined_at !== null && (
          <span class="below">
            joined <Moment iso={box.joined_at} />
          </span>
        )}
      </td>
      <td data-name="Agent">
        {box.agent_version}
        {agentText !== null && <span class="below">{agentText}</span>}
      </td>
      {forget && (
        <td class="acts">
          <div class="row-actions">
            {update && canUpdate(box) && (
              <RowAction name="Update" subject={box.name} act={() => update(box)} />
            )}
            {box.admission === "certificate" && revoke && (
              <RowAction name="Revoke" subject={box.name} act={() => revoke(box)} isDangerous />
            )}
            {(isDown || box.admission === "certificate") && (
              <RowAction name="Forget" subject={box.name} act={() => forget(box)} isDangerous />
            )}
          </div>
        </td>
      )}
    </tr>
  );
}

function NeverRow({ box, revoke, forget }: { box: NeverConnected } & Acts) {
  const { name, admission, joined_at, next_step } = box;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="wrap quiet" data-name="State">
        never connected
      </td>
      <td class="wrap" data-name="Next step" colSpan={2}>
        {next_step}
      </td>
      <td data-name="Admitted by">
        {ADMISSIONS[admission]}
        {joined_at !== null && (
          <span class="below">
            joined <Moment iso={joined_at} />
          </span>
        )}
      </td>
      <td data-name="Agent">{UNKNOWN}</td>
      {forget && (
        <td class="acts">
          <div class="row-actions">
            {admission === "certificate" && revoke && (
              <RowAction name="Revoke" subject={name} act={() => revoke(box)} isDangerous />
            )}
          </div>
        </td>
      )}
    </tr>
  );
}

/** Names each kind of GPU once: `2 × NVIDIA H100, 160 GiB`. */
function gpuText({ gpus, gpu_error, vram, state }: LiveBox): string {
  if (gpus.length === 0) return state === "down" ? UNKNOWN : (gpu_error ?? "No GPU");
  const names = Map.groupBy(gpus, ({ name }) => name);
  const parts = Array.from(names, ([name, { length }]) =>
    length === 1 ? name : `${length} × ${name}`,
  );
  const memory = vram.total_bytes;
  return [...parts, ...(memory === null ? [] : [bytes(memory, preferences.value.sizes)])].join(
    ", ",
  );
}

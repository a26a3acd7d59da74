/** One box that has a model: loaded, with its size and unload time, or on disk only. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import { nowMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { Pill } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { bytes, percent } from "../../shape/format.ts";
import { expiryText } from "../../shape/models.ts";

type Props = {
  model: string;
  box: string;
  loaded: LiveBox["loaded"][number] | null;
  isDisabled: boolean;
  isBusy: boolean;
  toggle: () => void;
};

export function ModelPlacement({ model, box, loaded, isDisabled, isBusy, toggle }: Props) {
  const share = loaded?.gpu_share ?? null;
  return (
    <li>
      <strong>
        <BoxCell box={box} />
      </strong>
      {loaded === null ? (
        <span class="quiet">not loaded</span>
      ) : (
        <>
          <Pill tone="good">loaded</Pill>
          <span>{bytes(loaded.size_vram_bytes, preferences.value.sizes)} VRAM</span>
          {share !== null && share < 1 && <Pill tone="warn">{percent(1 - share)} on CPU</Pill>}
          {loaded.expires_at !== null && (
            <span class="quiet">{expiryText(loaded.expires_at, nowMs.value)}</span>
          )}
        </>
      )}
      <button type="button" class="small" disabled={isDisabled} onClick={toggle}>
        {isBusy ? "…" : loaded === null ? "Load" : "Unload"}
        <span class="sr-only">{` ${model} on ${box}`}</span>
      </button>
    </li>
  );
}

/** One box that has a model: loaded, with its size and unload time, or on disk only; and its pin. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { BoxPin } from "../../../protocol/api/pins.ts";
import { nowMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { ownZone } from "../../data/zone.ts";
import { Pill } from "../../parts/basics.tsx";
import { BoxCell } from "../../parts/box-cell.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import { bytes, count, percent } from "../../shape/format.ts";
import { expiryText, untagged } from "../../shape/models.ts";
import { hoursText, pinTrouble } from "../../shape/pins.ts";

type Props = {
  model: string;
  box: string;
  /** In the list of a box: the size of the model. Null in the list of a model. */
  onDisk: string | null;
  loaded: LiveBox["loaded"][number] | null;
  pin: BoxPin | null;
  isDisabled: boolean;
  isBusy: boolean;
  toggle: () => void;
  openPin: () => void;
};

export function ModelPlacement(props: Props) {
  const { model, box, onDisk, loaded, pin, isDisabled, isBusy, toggle, openPin } = props;
  const share = loaded?.gpu_share ?? null;
  const named = <span class="sr-only">{` ${model} on ${box}`}</span>;
  return (
    <li>
      <strong>
        {onDisk === null ? (
          <BoxCell box={box} isBrief isLink />
        ) : (
          <ModelLink model={untagged(model)} />
        )}
      </strong>
      <span class="place-state">
        {loaded === null ? (
          <span class="quiet">{onDisk ?? "not loaded"}</span>
        ) : (
          <>
            <Pill tone="good">loaded</Pill>
            <span>{bytes(loaded.size_vram_bytes, preferences.value.sizes)} VRAM</span>
            {onDisk !== null && loaded.context_length !== null && (
              <span class="quiet">context {count(loaded.context_length)}</span>
            )}
            {share !== null && share < 1 && <Pill tone="warn">{percent(1 - share)} on CPU</Pill>}
            {loaded.expires_at !== null && !pin?.is_due && (
              <span class="quiet">{expiryText(loaded.expires_at, nowMs.value)}</span>
            )}
          </>
        )}
        {pin !== null && <PinState pin={pin} />}
      </span>
      <span class="place-actions">
        <button type="button" class="small" disabled={isDisabled} onClick={toggle}>
          {isBusy ? "…" : loaded === null ? "Load" : "Unload"}
          {named}
        </button>
        <button type="button" class="small" disabled={isDisabled} onClick={openPin}>
          {pin === null ? "Keep…" : "Kept…"}
          {named}
        </button>
      </span>
    </li>
  );
}

function PinState({ pin }: { pin: BoxPin }) {
  const trouble = pinTrouble(pin);
  return (
    <>
      <Pill tone="accent">kept {hoursText(pin, ownZone())}</Pill>
      {trouble !== null && (
        <span class={pin.state === "failed" ? "error-text" : "quiet"}>{trouble}</span>
      )}
    </>
  );
}

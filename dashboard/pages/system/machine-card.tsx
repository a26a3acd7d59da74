/** The current state of a box's machine. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { Concern } from "../../../protocol/concern.ts";
import { preferences } from "../../data/preferences.ts";
import { Ago, MeterBar, Pill, Simulated } from "../../parts/basics.tsx";
import { ForgetBox } from "../../parts/forget-box.tsx";
import { isDiskFilling } from "../../shape/attention.ts";
import { bytes, count, duration, ofHundred, short, UNKNOWN } from "../../shape/format.ts";
import { roomText } from "../../shape/room.ts";
import { STATE_TONES } from "../overview/fleet.tsx";

const share = (part: number | null, whole: number | null): number | null =>
  part === null || !whole ? null : (100 * part) / whole;

type MachineCardProps = { box: LiveBox; concerns: readonly Concern[]; isAdmin: boolean };

export function MachineCard({ box, concerns, isAdmin }: MachineCardProps) {
  const { sizes } = preferences.value;
  const { system } = box;
  return (
    <li class={`card box ${box.state}`}>
      <div class="box-head">
        <h3>{box.name}</h3>
        {box.simulated && <Simulated />}
        <Pill tone={STATE_TONES[box.state]}>{box.state}</Pill>
      </div>
      {system === null ? (
        box.state === "down" ? (
          <DownBox box={box} isAdmin={isAdmin} />
        ) : (
          <p class="quiet">No readings yet</p>
        )
      ) : (
        <>
          <MeterBar
            name="CPU"
            percent={system.cpu_percent}
            text={`${ofHundred(system.cpu_percent)} of ${count(system.cpu_count_logical)} threads`}
          />
          <MeterBar
            name="Memory"
            percent={share(system.memory_used_bytes, system.memory_total_bytes)}
            text={`${bytes(system.memory_used_bytes, sizes)} / ${bytes(system.memory_total_bytes, sizes)}`}
          />
          <MeterBar
            name="Disk"
            percent={share(system.disk_used_bytes, system.disk_total_bytes)}
            text={`${bytes(system.disk_used_bytes, sizes)} / ${bytes(system.disk_total_bytes, sizes)}`}
            tone={isDiskFilling(concerns, box.name) ? "warn" : "accent"}
          />
        </>
      )}
      <dl class="facts">
        <div>
          <dt>Load, 1 min</dt>
          <dd>{system?.load_1m == null ? UNKNOWN : short(system.load_1m)}</dd>
        </div>
        <div>
          <dt>Ollama</dt>
          <dd>{box.ollama_version ?? UNKNOWN}</dd>
        </div>
        <div>
          <dt>Agent</dt>
          <dd>
            {box.agent_version} {!box.agent_current && <Pill tone="warn">not the edge's</Pill>}
          </dd>
        </div>
        <div>
          <dt>Connected</dt>
          <dd>
            <Ago iso={box.connected_at} />
          </dd>
        </div>
        <div>
          <dt>Room for models</dt>
          <dd>{roomText(box, sizes) ?? UNKNOWN}</dd>
        </div>
        <div>
          <dt>Tunnel round trip</dt>
          <dd>{duration(box.tunnel_ms)}</dd>
        </div>
        <div>
          <dt>Unsent records</dt>
          <dd>{count(box.spooled)}</dd>
        </div>
        <div>
          <dt>Clock</dt>
          <dd>
            {Math.abs(box.clock_skew_ms) < 1_000
              ? "in sync"
              : `${duration(Math.abs(box.clock_skew_ms))} ${box.clock_skew_ms > 0 ? "ahead" : "behind"}`}
          </dd>
        </div>
      </dl>
    </li>
  );
}

/** A box that is down. It can be removed, because it may never come back. */
function DownBox({ box, isAdmin }: { box: LiveBox; isAdmin: boolean }) {
  const [isConfirming, setIsConfirming] = useState(false);
  return (
    <div class="gone">
      <p class="quiet">
        Last seen <Ago iso={box.last_seen} />
      </p>
      <button
        type="button"
        class="small danger"
        aria-label={`Forget ${box.name}`}
        disabled={!isAdmin}
        title={isAdmin ? undefined : "Needs a key with the admin scope"}
        onClick={() => setIsConfirming(true)}
      >
        Forget…
      </button>
      {isConfirming && <ForgetBox box={box} onClose={() => setIsConfirming(false)} />}
    </div>
  );
}

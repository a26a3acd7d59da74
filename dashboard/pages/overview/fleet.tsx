/** Each box at a glance: state, load, GPUs and loaded models. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { Concern } from "../../../protocol/concern.ts";
import { preferences } from "../../data/preferences.ts";
import { Ago, MeterBar, Pill, Simulated, type Tone } from "../../parts/basics.tsx";
import { gpuConcern } from "../../shape/attention.ts";
import { count, mib, ofHundred, percent, temperature, watts } from "../../shape/format.ts";
import { roomText } from "../../shape/room.ts";

export const STATE_TONES: Record<LiveBox["state"], Tone> = {
  up: "good",
  draining: "warn",
  down: "bad",
};

type Concerns = { concerns: readonly Concern[] };

export const FleetSection = ({ boxes, concerns }: { boxes: readonly LiveBox[] } & Concerns) => (
  <ul class="fleet">
    {boxes.map((box) => (
      <BoxCard key={box.name} box={box} concerns={concerns} />
    ))}
  </ul>
);

function BoxCard({ box, concerns }: { box: LiveBox } & Concerns) {
  return (
    <li class={`box ${box.state}`}>
      <div class="box-head">
        <h3>{box.name}</h3>
        {box.simulated && <Simulated />}
        <Pill tone={STATE_TONES[box.state]}>{box.state}</Pill>
      </div>
      {box.state === "down" ? (
        <p class="quiet">
          Last seen <Ago iso={box.last_seen} />
        </p>
      ) : (
        <>
          <dl class="figures">
            <div>
              <dt>In flight</dt>
              <dd>{count(box.in_flight)}</dd>
            </div>
            <div>
              <dt>Queue</dt>
              <dd>{count(box.queue_depth)}</dd>
            </div>
            <div>
              <dt>Ollama</dt>
              <dd>
                {box.ollama_reachable === false ? (
                  <Pill tone="bad">not responding</Pill>
                ) : (
                  (box.ollama_version ?? "–")
                )}
              </dd>
            </div>
          </dl>
          {box.gpus.length === 0 ? (
            <p class="quiet">{box.gpu_error ?? "No GPU"}</p>
          ) : (
            box.gpus.map((gpu) => <GpuLine key={gpu.index} gpu={gpu} concerns={concerns} />)
          )}
          <Room box={box} />
          <Loaded box={box} />
        </>
      )}
    </li>
  );
}

function GpuLine({ gpu, concerns }: { gpu: LiveBox["gpus"][number] } & Concerns) {
  const { sizes, temperature: unit } = preferences.value;
  const { memory_used_mb: used, memory_total_mb: total } = gpu;
  const full = used === null || total === null || total === 0 ? null : (100 * used) / total;
  const isHot = gpuConcern(concerns, "gpu_hot", gpu) !== undefined;
  return (
    <div class="gpu">
      <p class="gpu-name">
        <span>{gpu.name}</span>
        <span class={isHot ? "hot" : "quiet"}>{temperature(gpu.temperature_c, unit)}</span>
        <span class="quiet">{watts(gpu.power_draw_w)}</span>
      </p>
      <MeterBar
        name="GPU"
        percent={gpu.utilization_percent}
        text={ofHundred(gpu.utilization_percent)}
      />
      <MeterBar
        name="VRAM"
        percent={full}
        text={`${mib(used, sizes)} / ${mib(total, sizes)}`}
        tone={(full ?? 0) > 97 ? "warn" : "accent"}
      />
    </div>
  );
}

function Room({ box }: { box: LiveBox }) {
  const text = roomText(box, preferences.value.sizes);
  return text === null ? null : <p class="quiet room">{text}</p>;
}

const Loaded = ({ box }: { box: LiveBox }) =>
  box.loaded.length === 0 ? (
    <p class="quiet">No models loaded</p>
  ) : (
    <ul class="chips" aria-label="Loaded models">
      {box.loaded.map((model) => (
        <li
          key={model.name}
          class={model.gpu_share !== null && model.gpu_share < 1 ? "chip warn" : "chip"}
        >
          {model.name}
          {model.gpu_share !== null &&
            model.gpu_share < 1 &&
            ` · ${percent(1 - model.gpu_share)} on CPU`}
        </li>
      ))}
    </ul>
  );

/** Each box as one row: its GPUs over time, its memory by model, its work, speed and power. */
import { useMemo } from "preact/hooks";
import type { Activity, ActivityGroup } from "../../../protocol/api/activity.ts";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { GpuHistory } from "../../../protocol/api/system.ts";
import type { Concern } from "../../../protocol/concern.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo } from "../../data/scope.ts";
import { Ago, Pill, Simulated, type Tone } from "../../parts/basics.tsx";
import { Sparkline } from "../../parts/plot.tsx";
import { gpuConcern } from "../../shape/attention.ts";
import { pathOfLine } from "../../shape/drawing.ts";
import { gpuCourse, wattsOf, workMarks } from "../../shape/fleet-row.ts";
import {
  count,
  duration,
  money,
  percent,
  temperature,
  tokenRate,
  watts,
} from "../../shape/format.ts";
import { READ_EVERY_MS } from "../../shape/read-pace.ts";
import { Memory } from "./memory.tsx";

export const STATE_TONES: Record<LiveBox["state"], Tone> = {
  up: "good",
  draining: "warn",
  down: "bad",
};

type Props = {
  boxes: readonly LiveBox[];
  concerns: readonly Concern[];
  activity: Activity | null;
};

export function FleetSection({ boxes, concerns, activity }: Props) {
  const query = { time_range: "15m", max_points: 60 };
  const { data } = useQuery("/api/gpu/history", { query }, READ_EVERY_MS.gpus);
  return (
    <ul class="fleet">
      {boxes.map((box) => (
        <BoxRow
          key={box.name}
          box={box}
          concerns={concerns}
          history={data}
          currency={activity?.cost_currency ?? null}
          group={activity?.groups.box?.find(({ group }) => group === box.name) ?? null}
        />
      ))}
    </ul>
  );
}

type RowProps = {
  box: LiveBox;
  concerns: readonly Concern[];
  history: GpuHistory | null;
  /** Its requests in the period; null without any. */
  group: ActivityGroup | null;
  currency: string | null;
};

function BoxRow({ box, concerns, history, group, currency }: RowProps) {
  const { name, state, gpus, simulated } = box;
  const { temperature: unit } = preferences.value;
  const hot = gpus.find((gpu) => gpuConcern(concerns, "gpu_hot", gpu) !== undefined);
  return (
    <li class={`box ${state}`}>
      <div class="box-name">
        <h2>
          <a href={linkTo("box", { box: name })}>{name}</a>
          {simulated && <Simulated />}
          {state !== "up" && <Pill tone={STATE_TONES[state]}>{state}</Pill>}
          {state === "up" && box.ollama_reachable === false && (
            <Pill tone="bad">Ollama not responding</Pill>
          )}
        </h2>
        <p class="quiet">
          {state === "down" ? (
            <>
              Last seen <Ago iso={box.last_seen} />
            </>
          ) : (
            gpuNames(box)
          )}
          {hot !== undefined && <span class="hot"> {temperature(hot.temperature_c, unit)}</span>}
        </p>
      </div>
      {state !== "down" && (
        <>
          <GpuCourse box={name} history={history} />
          <Memory box={box} />
          <Work box={box} />
          <p class="box-figure">
            <b>{tokenRate(group?.tokens_per_second ?? null)}</b>
            <span>first token {duration(group?.ttft_p95_ms ?? null)}</span>
          </p>
          <p class="box-figure">
            <b>{watts(wattsOf(box))}</b>
            <span>{costText(group, currency)}</span>
          </p>
        </>
      )}
    </li>
  );
}

function gpuNames({ gpus, gpu_error }: LiveBox): string {
  const [first] = gpus;
  if (first === undefined) return gpu_error ?? "No GPU";
  return gpus.length === 1 ? first.name : `${gpus.length} × ${first.name}`;
}

const costText = (group: ActivityGroup | null, currency: string | null): string =>
  group?.cost_per_million_output == null || currency === null
    ? "no price set"
    : `${money(group.cost_per_million_output, currency)} /1M tok`;

function GpuCourse({ box, history }: { box: string; history: GpuHistory | null }) {
  const course = useMemo(() => (history === null ? [] : gpuCourse(history, box)), [history, box]);
  const latest = course.findLast((value) => value !== null) ?? null;
  return (
    <div class="box-course">
      <Sparkline path={pathOfLine(course)} buckets={course.length} tone="one" />
      <span class="quiet">GPU {percent(latest)}</span>
    </div>
  );
}

function Work({ box }: { box: LiveBox }) {
  const { running, waiting, drawnRunning, drawnWaiting } = workMarks(box);
  return (
    <div class="box-work">
      <span class="marks" aria-hidden="true">
        {Array.from({ length: drawnRunning }, (_, n) => (
          <i key={n} class="running" />
        ))}
        {Array.from({ length: drawnWaiting }, (_, n) => (
          <i key={n} class="waits" />
        ))}
        {drawnRunning + drawnWaiting === 0 && <i />}
      </span>
      <span class="quiet">
        <span>{count(running)} running,</span> <span>{count(waiting)} waiting</span>
      </span>
    </div>
  );
}

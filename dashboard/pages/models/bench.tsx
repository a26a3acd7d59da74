/** Benches: measures a model on a box, and compares the results over time. */
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { Bench, BenchEvent } from "../../../protocol/api/bench.ts";
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import type { Spread } from "../../../protocol/bench.ts";
import { call, errorMessage } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import { useQuery } from "../../data/query.ts";
import {
  Empty,
  FailureNote,
  MeterBar,
  Moment,
  Pill,
  Section,
  Simulated,
  Skeleton,
  TableScroll,
  type Tone,
} from "../../parts/basics.tsx";
import { Heads, NumberHeads } from "../../parts/table-heads.tsx";
import {
  afterBenchEvent,
  benchFailed,
  changeText,
  newBench,
  type RunningBench,
} from "../../shape/bench.ts";
import { count, duration, energy, percent, tokenRate, UNKNOWN } from "../../shape/format.ts";

type Run = Bench["runs"][number];
type Point = Run["points"][number];

/** The current bench and its progress. It continues while another page is open. */
const currentBench = signal<RunningBench | null>(null);
let stop: AbortController | null = null;

/** @param reload  unloads the model first, so that its load is measured */
async function runBench(box: string, model: string, reload: boolean): Promise<void> {
  const controller = new AbortController();
  stop = controller;
  let state = newBench(box, model);
  const show = (next: RunningBench) => {
    state = next;
    currentBench.value = next;
  };
  show(state);
  try {
    const response = await call("POST", "/api/boxes/{name}/bench", {
      params: { name: box },
      body: { model, reload },
      headers: { accept: "text/event-stream" },
      signal: controller.signal,
    });
    for await (const event of jsonEvents<BenchEvent>(response)) show(afterBenchEvent(state, event));
    if (state.state === "running")
      show(benchFailed(state, "The connection was lost before the bench finished."));
  } catch (error) {
    if (controller.signal.aborted) show({ ...state, state: "stopped", text: "Cancelled" });
    else show(benchFailed(state, errorMessage(error)));
  }
}

const TONES: Record<RunningBench["state"], Tone> = {
  running: "accent",
  done: "good",
  failed: "bad",
  stopped: "quiet",
};

function Progress({ bench: { box, model, state, percent: done, text } }: { bench: RunningBench }) {
  const isRunning = state === "running";
  const close = () => {
    currentBench.value = null;
  };
  return (
    <div class="card pulling">
      <div class="pulling-head">
        <strong>
          {model} on {box}
        </strong>
        <span role="status">
          <Pill tone={TONES[state]}>{state}</Pill>
        </span>
        <button type="button" class="small" onClick={isRunning ? () => stop?.abort() : close}>
          {isRunning ? "Cancel" : "Close"}
          <span class="sr-only"> bench</span>
        </button>
      </div>
      {isRunning && <MeterBar name="Progress" percent={done} />}
      {state === "failed" ? (
        <p class="error-text" role="alert">
          {text}
        </p>
      ) : (
        <p class="quiet">{text}</p>
      )}
    </div>
  );
}

type Props = {
  models: InstalledModels["models"];
  boxes: readonly LiveBox[];
  /** The runs that are shown unless a model on a box is chosen. */
  narrowing?: { box?: string; model?: string };
  isAdmin: boolean;
};

/** A model on a box, as the value of an option. Names of boxes have no spaces. */
const placeValue = (box: string, model: string): string => `${box} ${model}`;

export function BenchSection({ models, boxes, narrowing = {}, isAdmin }: Props) {
  const [chosen, setChosen] = useState("");
  const [reload, setReload] = useState(false);
  const [box = "", model = ""] = chosen.split(" ");
  const query = chosen === "" ? narrowing : { box, model };
  const { data, error, refetch } = useQuery("/api/bench", { query }, 30_000);
  const bench = currentBench.value;
  useEffect(() => {
    if (bench?.state === "done") refetch();
  }, [bench?.state]);
  const isUp = boxes.some(({ name, state }) => name === box && state === "up");
  // A name may stand for different files on different boxes.
  const places = new Map(
    models.flatMap(({ name, boxes: on }) =>
      on.map((each) => [placeValue(each, name), `${name} on ${each}`] as const),
    ),
  );
  return (
    <Section title="Bench" aside={<span class="aside">each run against the one before</span>}>
      <div class="bench-bar">
        <label>
          <span class="sr-only">Model and box to measure</span>
          <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
            <option value="">All models and boxes</option>
            {[...places].map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={reload}
            disabled={!isAdmin}
            onChange={(event) => setReload(event.currentTarget.checked)}
          />{" "}
          Unload first, to measure the load
        </label>
        <button
          type="button"
          disabled={!isAdmin || !isUp || bench?.state === "running"}
          onClick={() => void runBench(box, model, reload)}
        >
          Start bench
        </button>
        <span class="quiet">
          {isAdmin
            ? "Waits until the box is idle, and makes way for callers. Takes a minute or more."
            : "Starting a bench needs a key with the models scope."}
        </span>
      </div>
      {bench !== null && <Progress bench={bench} />}
      {error !== null && (
        <FailureNote title="Could not load the benches." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={3} />
      ) : data.runs.length === 0 ? (
        <Empty title="Nothing was measured yet">
          <p>Choose a model on a box and start a bench.</p>
        </Empty>
      ) : (
        <Results runs={data.runs} />
      )}
    </Section>
  );
}

const COLUMNS = [
  "Prompt",
  "Decode\u00a0rate",
  "First\u00a0token",
  "Prefill",
  "Energy per\u00a01k\u00a0generated",
];

const Results = ({ runs }: { runs: readonly Run[] }) => (
  <>
    <TableScroll label="Results of benches">
      <table class="benches">
        <thead>
          <tr>
            <th scope="col">Model and box</th>
            <NumberHeads names={COLUMNS} />
            <Heads names={["Load", "Measured with"]} />
          </tr>
        </thead>
        {runs.map((run) => (
          <tbody key={run.id}>
            {run.points.map((point, at) => (
              <tr key={point.context}>
                {at === 0 && <About run={run} />}
                <td class="number">{count(point.context)}</td>
                <Figure point={point} figure="tokens_per_second" format={tokenRate} />
                <Figure point={point} figure="ttft_ms" format={duration} />
                <Figure point={point} figure="prefill_tokens_per_second" format={tokenRate} />
                <Figure point={point} figure="wh_per_1k_tokens" format={wattHours} />
                {at === 0 && <Setup run={run} />}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </TableScroll>
    <p class="footnote">
      Medians of several requests; the tooltip has their range. Changes are against the run before
      with the same box, model, prompt and answer length.
    </p>
  </>
);

function About({ run }: { run: Run }) {
  const { model, box, simulated, quantization, gpu_share, points, started_at } = run;
  return (
    <th scope="rowgroup" rowSpan={points.length}>
      {model} {simulated && <Simulated />}
      <span class="below">
        {[box, quantization, gpu_share === null ? null : `${percent(gpu_share)} in GPU memory`]
          .filter((part) => part !== null)
          .join(" · ")}
      </span>
      <span class="below">
        <Moment iso={started_at} />
      </span>
    </th>
  );
}

function Setup({ run }: { run: Run }) {
  const { points, load_ms, ollama_version, agent_version, driver_version, gpus } = run;
  const rows = points.length;
  return (
    <>
      <td rowSpan={rows}>{duration(load_ms)}</td>
      <td rowSpan={rows}>
        Ollama {ollama_version ?? UNKNOWN}, agent {agent_version}
        <span class="below">
          {gpus.length === 0 ? "no GPU" : gpus.join(", ")}
          {driver_version !== null && `, driver ${driver_version}`}
        </span>
      </td>
    </>
  );
}

type FigureProps = {
  point: Point;
  figure: keyof NonNullable<Point["change"]>;
  format: (value: number | null) => string;
};

function Figure({ point, figure, format }: FigureProps) {
  const spread: Spread = point[figure];
  const range = spread === null ? undefined : `${format(spread.min)} to ${format(spread.max)}`;
  return (
    <td class="number" title={range}>
      {format(spread?.median ?? null)}
      <span class="below">{changeText(point.change?.[figure])}</span>
    </td>
  );
}

const wattHours = (value: number | null): string => energy(value === null ? null : 3_600 * value);

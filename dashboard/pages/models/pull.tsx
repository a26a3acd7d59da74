/** The current pull and its progress. It continues while another page is open. */
import { signal } from "@preact/signals";
import { call, errorMessage } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import { preferences } from "../../data/preferences.ts";
import { MeterBar, Pill, type Tone } from "../../parts/basics.tsx";
import { bytes } from "../../shape/format.ts";
import {
  afterEnd,
  afterPullEvent,
  newPull,
  type Pull,
  type PullUpdate,
  percentOf,
} from "../../shape/pull.ts";

export const currentPull = signal<Pull | null>(null);
let stop: AbortController | null = null;

/** Pulls a model to some boxes, side by side. */
export async function runPull(model: string, boxes: readonly string[]): Promise<void> {
  const controller = new AbortController();
  stop = controller;
  let state = newPull(model, boxes);
  const show = (next: Pull) => {
    state = next;
    currentPull.value = next;
  };
  show(state);
  const pullTo = async (box: string) => {
    try {
      const response = await call("POST", "/api/ollama/pull", {
        query: { box },
        body: { name: model },
        headers: { accept: "text/event-stream" },
        signal: controller.signal,
      });
      for await (const event of jsonEvents<PullUpdate>(response))
        show(afterPullEvent(state, event));
      if (state.boxes[box]?.hasEnded !== true)
        show(afterEnd(state, box, "The connection was lost before the pull finished."));
    } catch (error) {
      if (!controller.signal.aborted) show(afterEnd(state, box, errorMessage(error)));
    }
  };
  await Promise.all(boxes.map(pullTo));
  if (controller.signal.aborted) show({ ...state, state: "stopped" });
}

const TONES: Record<Pull["state"], Tone> = {
  pulling: "accent",
  success: "good",
  error: "bad",
  stopped: "quiet",
};

export function Progress({ pull: shown }: { pull: Pull }) {
  const { model, boxes, state } = shown;
  const { sizes } = preferences.value;
  const close = () => {
    currentPull.value = null;
  };
  return (
    <div class="card pulling">
      <div class="pulling-head">
        <strong>{model}</strong>
        <span role="status">
          <Pill tone={TONES[state]}>{state}</Pill>
        </span>
        <button
          type="button"
          class="small"
          onClick={state === "pulling" ? () => stop?.abort() : close}
        >
          {state === "pulling" ? "Stop" : "Close"}
        </button>
      </div>
      {state === "pulling" && <MeterBar name="Progress" percent={percentOf(shown)} />}
      <ul class="places">
        {Object.entries(boxes).map(([name, box]) => (
          <li key={name}>
            <strong>{name}</strong>{" "}
            {box.error === null ? (
              <span>{box.status}</span>
            ) : (
              <span class="error-text" role="alert">
                {box.error}
              </span>
            )}
            {box.total !== null && (
              <span class="quiet">
                {bytes(box.completed, sizes)} of {bytes(box.total, sizes)}
              </span>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

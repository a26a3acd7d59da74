/** The current pull and its progress. It continues while another page is open. */
import { signal } from "@preact/signals";
import { call, errorMessage } from "../../data/api.ts";
import { jsonEvents } from "../../data/events.ts";
import { preferences } from "../../data/preferences.ts";
import { MeterBar, Pill, type Tone } from "../../parts/basics.tsx";
import { bytes } from "../../shape/format.ts";
import {
  afterPullEvent,
  newPull,
  type Pull,
  type PullUpdate,
  percentOf,
} from "../../shape/pull.ts";

export const currentPull = signal<Pull | null>(null);
let stop: AbortController | null = null;

/** @param box  the target box, or an empty string for all boxes */
export async function runPull(model: string, box: string): Promise<void> {
  const controller = new AbortController();
  stop = controller;
  let state = newPull(model);
  const show = (next: Pull) => {
    state = next;
    currentPull.value = next;
  };
  show(state);
  try {
    const options = {
      query: { box },
      body: { name: model },
      headers: { accept: "text/event-stream" },
      signal: controller.signal,
    };
    const response = await call("POST", "/api/ollama/pull", options);
    for await (const event of jsonEvents<PullUpdate>(response)) show(afterPullEvent(state, event));
    if (state.state === "pulling")
      show({
        ...state,
        state: "error",
        error: "The connection was lost before the pull finished.",
      });
  } catch (error) {
    show(
      controller.signal.aborted
        ? { ...state, state: "stopped" }
        : { ...state, state: "error", error: errorMessage(error) },
    );
  }
}

const TONES: Record<Pull["state"], Tone> = {
  pulling: "accent",
  success: "good",
  error: "bad",
  stopped: "quiet",
};

export function Progress({ pull: shown }: { pull: Pull }) {
  const { model, boxes, state, error } = shown;
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
      {error !== null && (
        <p class="error-text" role="alert">
          {error}
        </p>
      )}
      <ul class="places">
        {Object.entries(boxes).map(([name, box]) => (
          <li key={name}>
            <strong>{name}</strong>{" "}
            <span class={box.error === null ? "" : "error-text"}>{box.error ?? box.status}</span>
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

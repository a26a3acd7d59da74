/** A box that has joined: whether it is up, and what it has. */
import { nowMs } from "../../data/clock.ts";
import { live } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { FactList } from "../../parts/fact-list.tsx";
import { CheckIcon } from "../../parts/icons.tsx";
import { hashOf } from "../../shape/route.ts";

/** The first reading of the GPUs may come this long after the tunnel. */
const FIRST_READING_MS = 15_000;

type Props = { name: string; restart: () => void };

export function NewBox({ name, restart }: Props) {
  const box = live.value?.value.boxes.find((each) => each.name === name);
  const { data } = useQuery("/api/ollama/models", {}, 0);
  if (box?.state !== "up")
    return (
      <p class="awaiting">
        <i class="beat" />
        <span role="status">{name} has joined. Waiting for its agent to connect</span>
      </p>
    );
  const models = (data?.models ?? []).filter(({ boxes }) => boxes.includes(name));
  const isNew = nowMs.value - Date.parse(box.connected_at ?? "") < FIRST_READING_MS;
  const noGpu = isNew ? "Reading…" : (box.gpu_error ?? "None");
  const gpus = box.gpus.map((gpu) => gpu.name).join(", ");
  return (
    <div class="joined">
      <p class="all-set" role="status">
        <CheckIcon /> <strong>{name} is up</strong>
      </p>
      <FactList
        facts={[
          ["GPU", gpus || noGpu],
          ["Ollama", box.ollama_version ?? box.ollama_error ?? "Not responding"],
          [
            "Models",
            models.length === 0
              ? "None yet. Pull one on the Models page."
              : models.map((model) => model.name).join(", "),
          ],
        ]}
      />
      <div class="actions">
        <a class="button" href={hashOf("connect")}>
          Connect a client
        </a>
        <button type="button" onClick={restart}>
          Add another box
        </button>
      </div>
    </div>
  );
}

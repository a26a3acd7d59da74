/** The memory of the GPUs of a box, cut by model, and what still fits. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import { modelClass } from "../../data/model-colour.ts";
import { preferences } from "../../data/preferences.ts";
import { linkTo } from "../../data/scope.ts";
import { memoryParts } from "../../shape/fleet-row.ts";
import { bytes, percent } from "../../shape/format.ts";
import { untagged } from "../../shape/models.ts";
import { roomText } from "../../shape/room.ts";

export function Memory({ box }: { box: LiveBox }) {
  const { sizes } = preferences.value;
  const memory = memoryParts(box);
  if (memory === null)
    return (
      <p class="box-memory quiet">
        {box.loaded.length === 0
          ? "No models loaded"
          : box.loaded.map(({ name }) => name).join(", ")}
      </p>
    );
  const spilled = box.loaded.filter(({ gpu_share }) => gpu_share !== null && gpu_share < 1);
  return (
    <div class="box-memory">
      <ul class="memory-bar" aria-label="Loaded models">
        {memory.parts.map(({ model, part }) => (
          <li
            key={model}
            class={modelClass(model)}
            style={{ width: `${100 * Math.min(1, part)}%` }}
            title={`${model ?? "In use by something else"}, ${percent(part)} of the memory`}
          >
            {model !== null && <a href={linkTo("model", { model: untagged(model) })}>{model}</a>}
          </li>
        ))}
      </ul>
      <span class="quiet">
        {bytes(memory.usedBytes, sizes)} of {bytes(memory.totalBytes, sizes)}
        {spilled.length > 0 && `; ${spilled.map(({ name }) => name).join(", ")} partly on the CPU`}
        {`. ${roomText(box, sizes) ?? "Room unknown"}`}
      </span>
    </div>
  );
}

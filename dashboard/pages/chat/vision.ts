/** Reads from Ollama whether a model has vision. */
import { useEffect, useState } from "preact/hooks";
import { call } from "../../data/api.ts";
import type { Seat } from "../../shape/chat-sides.ts";

/** By box and model: neither the answer nor the model changes while the page is open. */
const known = new Map<string, Promise<boolean | null>>();

/** Null if unknown: the edge chooses the model, or an old Ollama lists no capabilities. */
export function useVision({ model, box }: Seat): boolean | null {
  const [sees, setSees] = useState<boolean | null>(null);
  useEffect(() => {
    let isWanted = true;
    setSees(null);
    void visionOf({ model, box }).then((answer) => isWanted && setSees(answer));
    return () => {
      isWanted = false;
    };
  }, [model, box]);
  return sees;
}

function visionOf({ model, box }: Seat): Promise<boolean | null> {
  if (model === "") return Promise.resolve(null);
  const name = JSON.stringify([box, model]);
  const found = known.get(name) ?? show(model, box);
  known.set(name, found);
  return found.catch(() => {
    known.delete(name); // the next look may succeed
    return null;
  });
}

async function show(model: string, box: string): Promise<boolean | null> {
  const headers = box === "" ? {} : { "x-box": box };
  const response = await call("POST", "/ollama/api/show", { body: { model }, headers });
  const { capabilities } = (await response.json()) as { capabilities?: unknown };
  return Array.isArray(capabilities) ? capabilities.includes("vision") : null;
}

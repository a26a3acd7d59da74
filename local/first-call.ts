/** The line with which `npm start` ends: a first call that works here, to copy. */
import { installedOf, loadedOf } from "../agent/readings/inventory-parse.ts";
import { embedsOnly, type InstalledModel, type LoadedModel } from "../protocol/inventory.ts";

/** Time that Ollama gets to list its models: a start does not wait for the example. */
const LIST_MS = 2_000;

/** The model that the line pulls to a box without one. */
const SUGGESTED = "llama3.2";

/** Returns the model that answers a chat soonest: one in memory, or the smallest on disk. */
export function soonestChat(
  installed: readonly InstalledModel[],
  loaded: readonly Pick<LoadedModel, "name">[],
): string | null {
  const isLoaded = ({ name }: InstalledModel) => loaded.some((each) => each.name === name);
  const size = (model: InstalledModel) =>
    isLoaded(model) ? 0 : (model.size_bytes ?? Number.POSITIVE_INFINITY);
  const [soonest] = installed
    .filter((model) => !embedsOnly(model))
    .toSorted((a, b) => size(a) - size(b));
  return soonest?.name ?? null;
}

/** Reads {@link soonestChat} from an Ollama. Null too if it does not answer. */
export async function soonestChatOf(ollama: string): Promise<string | null> {
  const list = async (path: string): Promise<unknown> => {
    const answer = await fetch(new URL(path, ollama), { signal: AbortSignal.timeout(LIST_MS) });
    return answer.json();
  };
  try {
    const [tags, ps] = await Promise.all([list("/api/tags"), list("/api/ps")]);
    return soonestChat(installedOf(tags) ?? [], loadedOf(ps) ?? []);
  } catch {
    return null;
  }
}

/** @param model  null without one to call: the call then pulls one */
export function firstCall(url: string, model: string | null, isOpen: boolean): string {
  const [path, body] =
    model === null
      ? ["pull", { model: SUGGESTED }]
      : ["chat", { model, messages: [{ role: "user", content: "Hello" }] }];
  const key = isOpen ? "" : " -H 'Authorization: Bearer <API key>'";
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl ${url}/ollama/api/${path}${key} -d '${quoted}'`;
}

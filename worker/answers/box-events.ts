/** The events that follow from the hello and the readings of an agent. Pure. */
import type { NewEvent } from "../../protocol/events.ts";
import { gpuShareOf, type LoadedModel, type Readings, withTag } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { RegisteredBox } from "../registered-box.ts";

/** More changes at once are another disk or another Ollama, and not somebody's work. */
const CHANGES_MAX = 50;

/** @param before  the box before this hello; null if it has never connected */
export function helloEvents(before: RegisteredBox | null, hello: Hello, nowMs: number): NewEvent[] {
  const about = { box: hello.box, model: null };
  const { agent_version } = hello;
  if (before === null) return [{ ...about, kind: "box_added", params: { agent_version } }];
  const away_ms = before.state === "down" ? Math.max(0, nowMs - before.last_seen_ms) : null;
  if (before.hello.boot_id === hello.boot_id) {
    const params = { away_ms, requests_kept: 0, requests_lost: 0 };
    return [{ ...about, kind: "tunnel_back", params }];
  }
  const update = updateOf(before.hello, hello);
  return update === null
    ? [{ ...about, kind: "agent_restarted", params: { away_ms } }]
    : [{ ...about, kind: "agent_updated", params: { ...update, away_ms } }];
}

/** Characters of a digest by which two builds of one version differ. */
const BUILD_LENGTH = 8;

/** Returns the versions, or builds of one version, from and to which an agent changed; null if it did not. */
function updateOf(was: Hello, is: Hello): { from: string; to: string } | null {
  if (was.agent_version !== is.agent_version)
    return { from: was.agent_version, to: is.agent_version };
  const [from, to] = [was.agent_sha256 ?? null, is.agent_sha256 ?? null];
  if (from === null || to === null || from === to) return null;
  const build = (digest: string) => `${is.agent_version}+${digest.slice(0, BUILD_LENGTH)}`;
  return { from: build(from), to: build(to) };
}

/** @param before  the box before its tunnel ended */
export const goneEvents = (before: RegisteredBox): NewEvent[] => [
  {
    kind: "tunnel_cut",
    box: before.name,
    model: null,
    params: { planned: before.state === "draining" },
  },
];

/**
 * Compares readings with the ones before. The first readings of a box cause no event: nothing is known
 * about the time before them.
 */
export function readingEvents(before: RegisteredBox, next: Readings): NewEvent[] {
  if (before.readings === null) return [];
  const { inventory: was } = before.readings;
  const { inventory: is } = next;
  const about = { box: before.name, model: null };
  if (!is.reachable)
    return was.reachable ? [{ ...about, kind: "ollama_lost", params: { error: is.error } }] : [];
  const events: NewEvent[] = [];
  if (!was.reachable) events.push({ ...about, kind: "ollama_back", params: { away_ms: null } });
  const [from, to] = [was.ollama_version, is.ollama_version];
  if (from !== null && to !== null && from !== to)
    events.push({ ...about, kind: "ollama_updated", params: { from, to } });
  if (!was.reachable) return events;
  return [
    ...events,
    ...diskEvents(before.name, was.models, is.models),
    ...memoryEvents(before.name, was.loaded, is.loaded),
  ].slice(0, CHANGES_MAX);
}

type Installed = Readings["inventory"]["models"];

function diskEvents(box: string, was: Installed, is: Installed): NewEvent[] {
  const before = named(was);
  const after = named(is);
  const pulled = [...after].filter(([name, { digest }]) => {
    const known = before.get(name);
    return known === undefined || (known.digest !== null && digest !== known.digest);
  });
  const deleted = [...before.keys()].filter((name) => !after.has(name));
  return [
    ...pulled.map(([model, { digest, size_bytes }]): NewEvent => {
      return { kind: "model_pulled", box, model, params: { digest, size_bytes } };
    }),
    ...deleted.map((model): NewEvent => ({ kind: "model_deleted", box, model, params: {} })),
  ];
}

function memoryEvents(
  box: string,
  was: readonly LoadedModel[],
  is: readonly LoadedModel[],
): NewEvent[] {
  const before = named(was);
  const after = named(is);
  const unloaded = [...before.keys()].filter((name) => !after.has(name));
  return [
    ...unloaded.map((model): NewEvent => ({ kind: "model_unloaded", box, model, params: {} })),
    ...[...after].flatMap(([model, loaded]): NewEvent[] => {
      const { context_length: to, size_bytes } = loaded;
      const known = before.get(model);
      if (known === undefined) {
        const params = { context_length: to, size_bytes, gpu_share: gpuShareOf(loaded) };
        return [{ kind: "model_loaded", box, model, params }];
      }
      const { context_length: from } = known;
      return from === null || to === null || from === to
        ? []
        : [{ kind: "model_reloaded", box, model, params: { from, to } }];
    }),
  ];
}

const named = <Model extends { name: string }>(models: readonly Model[]): Map<string, Model> =>
  new Map(models.map((model) => [withTag(model.name), model]));

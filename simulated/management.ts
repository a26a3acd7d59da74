/** The management of models: list, show, pull, push, create, copy, delete, and blobs. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { withTag } from "../protocol/inventory.ts";
import type { Exchange } from "./exchange.ts";
import { goJson } from "./go-json.ts";
import type { World } from "./inference.ts";
import { psOf, showOf, tagOf } from "./library.ts";
import { modelNamed } from "./models.ts";
import { readBody } from "./native.ts";
import { openaiError } from "./openai.ts";

const name = z.string().default("");
/** `name` is the older spelling of `model`, which Ollama still accepts. */
const Named = z.object({
  model: name,
  name,
  stream: z.boolean().default(true),
  from: name,
  files: z.record(z.string(), z.string()).optional(),
});
const Copy = z.object({ source: name, destination: name });

export const tags = (exchange: Exchange, { library }: World): void =>
  exchange.json(200, { models: library.list().map(tagOf) });

export const ps = (exchange: Exchange, { runner }: World): void =>
  exchange.json(200, {
    models: runner.list().map(({ model, expiresAt }) => psOf(model, expiresAt)),
  });

export function show(exchange: Exchange, { library }: World): void {
  const body = readBody(Named, "ShowRequest", exchange);
  const wanted = body.model || body.name;
  if (wanted === "") return exchange.fail(400, "model is required");
  const model = library.find(wanted);
  if (model === undefined) return exchange.fail(404, `model '${wanted}' not found`);
  exchange.json(200, showOf(model));
}

/** Ollama names the owner of the model here. */
const openaiModel = (id: string, modifiedAt: Date) => ({
  id,
  object: "model",
  created: Math.floor(modifiedAt.getTime() / 1_000),
  owned_by: "simulated",
});

export function openaiModels(exchange: Exchange, { library }: World): void {
  const data = library.list().map((model) => openaiModel(model.name, model.modifiedAt));
  exchange.send(200, "application/json", `${goJson({ object: "list", data })}\n`);
}

export function openaiModelOf(exchange: Exchange, { library }: World): void {
  const id = exchange.path.slice("/v1/models/".length);
  const model = library.find(id);
  if (model === undefined) return openaiError(exchange, 404, `model '${id}' not found`);
  exchange.send(200, "application/json", `${goJson(openaiModel(id, model.modifiedAt))}\n`);
}

export function remove(exchange: Exchange, { library, runner }: World): void {
  const body = readBody(Named, "DeleteRequest", exchange);
  const wanted = body.model || body.name;
  if (wanted === "") return exchange.fail(400, 'name "" is invalid');
  if (!library.remove(wanted)) return exchange.fail(404, `model '${wanted}' not found`);
  runner.unload(withTag(wanted));
  exchange.send(200, null, "");
}

export function copy(exchange: Exchange, { library }: World): void {
  const { source, destination } = readBody(Copy, "CopyRequest", exchange);
  if (source === "") return exchange.fail(400, 'source "" is invalid');
  if (destination === "") return exchange.fail(400, 'destination "" is invalid');
  const model = library.find(source);
  if (model === undefined) return exchange.fail(404, `model "${source}" not found`);
  library.add({ ...model, name: withTag(destination), modifiedAt: new Date() });
  exchange.send(200, null, "");
}

type Progress = { status: string; digest?: string; total?: number; completed?: number };

/** A name that is not in the registry. */
const MISSING = /^(missing|nonexistent|does-not-exist)/;
const PULL_STEPS = 8;

export async function pullModel(exchange: Exchange, world: World): Promise<void> {
  const body = readBody(Named, "PullRequest", exchange);
  const wanted = body.model || body.name;
  if (wanted === "") return exchange.fail(400, "invalid model name");
  await progress(exchange, body.stream, world.pace.tokenMs, function* () {
    yield { status: "pulling manifest" };
    if (MISSING.test(wanted)) throw new Error("pull model manifest: file does not exist");
    const model = modelNamed(wanted, new Date());
    const digest = `sha256:${model.digest}`;
    for (let step = 0; step <= PULL_STEPS; step++) {
      const completed = Math.round((model.sizeBytes * step) / PULL_STEPS);
      yield {
        status: `pulling ${model.digest.slice(0, 12)}`,
        digest,
        total: model.sizeBytes,
        ...(completed > 0 ? { completed } : {}),
      };
    }
    yield { status: "verifying sha256 digest" };
    yield { status: "writing manifest" };
    world.library.add(model);
    yield { status: "success" };
  });
}

export async function push(exchange: Exchange, world: World): Promise<void> {
  const body = readBody(Named, "PushRequest", exchange);
  const wanted = body.model || body.name;
  if (wanted === "") return exchange.fail(400, "model is required");
  await progress(exchange, body.stream, world.pace.tokenMs, function* () {
    yield { status: "retrieving manifest" };
    const model = world.library.find(wanted);
    if (model === undefined) throw new Error("file does not exist");
    const push = {
      status: `pushing ${model.digest.slice(0, 12)}`,
      digest: `sha256:${model.digest}`,
      total: model.sizeBytes,
    };
    yield push;
    yield { ...push, completed: model.sizeBytes };
    yield { status: "pushing manifest" };
    yield { status: "success" };
  });
}

export async function create(exchange: Exchange, world: World, blobs: Blobs): Promise<void> {
  const body = readBody(Named, "CreateRequest", exchange);
  const wanted = body.model || body.name;
  if (wanted === "") return exchange.fail(400, "invalid model name");
  if (body.from === "" && body.files === undefined)
    return exchange.fail(400, "neither 'from' or 'files' was specified");
  await progress(exchange, body.stream, world.pace.tokenMs, function* () {
    for (const digest of Object.values(body.files ?? {}))
      if (!blobs.has(digest))
        throw new Error(
          `open /var/lib/ollama/blobs/${digest.replace(":", "-")}: no such file or directory`,
        );
    const base =
      body.from === ""
        ? modelNamed(wanted)
        : (world.library.find(body.from) ?? modelNamed(body.from));
    yield { status: `using existing layer sha256:${base.digest}` };
    yield { status: "writing manifest" };
    world.library.add({ ...base, name: withTag(wanted), modifiedAt: new Date() });
    yield { status: "success" };
  });
}

/**
 * Sends progress lines, or only the last one if unstreamed. An error after the first line is a line
 * under status 200.
 */
async function progress(
  exchange: Exchange,
  streams: boolean,
  stepMs: number,
  steps: () => Generator<Progress>,
): Promise<void> {
  if (streams) exchange.stream("application/x-ndjson");
  let latest: Progress = { status: "" };
  try {
    for (latest of steps()) {
      if (streams) await exchange.write(`${goJson(latest)}\n`);
      await sleep(stepMs, undefined, { signal: exchange.signal });
    }
  } catch (error) {
    if (exchange.signal.aborted || !(error instanceof Error)) throw error;
    if (!streams) return exchange.fail(500, error.message);
    await exchange.write(`${goJson({ error: error.message })}\n`);
    return exchange.end();
  }
  if (streams) exchange.end();
  else exchange.send(200, "application/json", goJson(latest));
}

export class Blobs {
  readonly #digests = new Set<string>();

  has(digest: string): boolean {
    return this.#digests.has(digest);
  }

  readonly head = (exchange: Exchange): void => {
    const digest = exchange.path.slice("/api/blobs/".length);
    if (this.#digests.has(digest)) exchange.send(200, null, "");
    else exchange.fail(404, `blob "${digest}" not found`);
  };

  readonly create = (exchange: Exchange): void => {
    const digest = exchange.path.slice("/api/blobs/".length);
    const actual = `sha256:${createHash("sha256").update(exchange.body).digest("hex")}`;
    if (digest !== actual)
      return exchange.fail(400, `digest mismatch, expected "${digest}", got "${actual}"`);
    const isKnown = this.#digests.has(digest);
    this.#digests.add(digest);
    exchange.send(isKnown ? 200 : 201, null, "");
  };
}

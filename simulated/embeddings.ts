/**
 * Embeddings on all three routes: `/api/embed`, the older `/api/embeddings` (which counts no
 * tokens), and `/v1/embeddings`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Exchange } from "./exchange.ts";
import { BadBody, bodyAs, foldedBody, goJson } from "./go-json.ts";
import { BUSY, type World } from "./inference.ts";
import { KEEP_ALIVE_MS, keepAliveMs } from "./keep-alive.ts";
import { MARKED } from "./marks.ts";
import type { SimulatedModel } from "./models.ts";
import { readBody } from "./native.ts";
import { openaiError } from "./openai.ts";
import { countOf, vectorOf } from "./text.ts";

const keepAlive = z.union([z.string(), z.number()]).optional();
const Embed = z.object({
  model: z.string().default(""),
  input: z.unknown().optional(),
  dimensions: z.number().optional(),
  keep_alive: keepAlive,
});
const Embeddings = z.object({
  model: z.string().default(""),
  prompt: z.string().default(""),
  keep_alive: keepAlive,
});
const OpenaiEmbeddings = z.object({
  model: z.string().default(""),
  input: z.unknown().optional(),
  dimensions: z.number().optional(),
  encoding_format: z.string().default("float"),
});

type Refuse = (status: number, message: string) => void;

export async function embed(exchange: Exchange, world: World): Promise<void> {
  const body = readBody(Embed, "EmbedRequest", exchange);
  const inputs = inputsOf(body.input);
  const start = process.hrtime.bigint();
  const refuse: Refuse = (status, message) => exchange.fail(status, message);
  const made = await vectorsOf(
    exchange,
    world,
    body.model,
    inputs,
    body.dimensions,
    keepAliveMs(body.keep_alive) ?? KEEP_ALIVE_MS,
    refuse,
  );
  if (made === null) return;
  exchange.json(200, {
    model: body.model,
    embeddings: made.vectors,
    total_duration: Number(process.hrtime.bigint() - start),
    load_duration: made.loadNs,
    prompt_eval_count: made.tokens,
    ...MARKED,
  });
}

export async function embeddings(exchange: Exchange, world: World): Promise<void> {
  const body = readBody(Embeddings, "EmbeddingRequest", exchange);
  if (body.model === "") return exchange.fail(400, "model is required");
  const refuse: Refuse = (status, message) =>
    exchange.fail(
      status,
      status === 404 ? `model "${body.model}" not found, try pulling it first` : message,
    );
  const made = await vectorsOf(
    exchange,
    world,
    body.model,
    [body.prompt],
    undefined,
    keepAliveMs(body.keep_alive) ?? KEEP_ALIVE_MS,
    refuse,
  );
  if (made === null) return;
  exchange.json(200, { embedding: body.prompt === "" ? [] : made.vectors[0], ...MARKED });
}

export async function openaiEmbeddings(exchange: Exchange, world: World): Promise<void> {
  const body = bodyAs(OpenaiEmbeddings, "EmbedRequest", foldedBody(exchange.body));
  const encoding = body.encoding_format.toLowerCase();
  if (encoding !== "float" && encoding !== "base64") {
    throw new BadBody(
      `Invalid value for 'encoding_format' = ${body.encoding_format}. Supported values: ['float', 'base64'].`,
    );
  }
  if (body.input === undefined || (Array.isArray(body.input) && body.input.length === 0))
    throw new BadBody("invalid input");
  const refuse: Refuse = (status, message) => openaiError(exchange, status, message);
  const made = await vectorsOf(
    exchange,
    world,
    body.model,
    inputsOf(body.input),
    body.dimensions,
    KEEP_ALIVE_MS,
    refuse,
  );
  if (made === null) return;
  const data = made.vectors.map((vector, index) => ({
    object: "embedding",
    embedding:
      encoding === "base64"
        ? Buffer.from(new Float32Array(vector).buffer).toString("base64")
        : vector,
    index,
  }));
  const usage = { prompt_tokens: made.tokens, total_tokens: made.tokens };
  exchange.send(
    200,
    "application/json",
    `${goJson({ object: "list", data, model: body.model, usage, ...MARKED })}\n`,
  );
}

/** @throws {BadBody} */
function inputsOf(input: unknown): string[] {
  if (typeof input === "string") return input === "" ? [] : [input];
  if (Array.isArray(input) && input.every((entry): entry is string => typeof entry === "string"))
    return input;
  throw new BadBody("invalid input type");
}

type Made = { vectors: number[][]; tokens: number; loadNs: number };

/** Returns null if the call was refused or ended by a fault. */
async function vectorsOf(
  exchange: Exchange,
  world: World,
  name: string,
  inputs: string[],
  dimensions: number | undefined,
  keepMs: number,
  refuse: Refuse,
): Promise<Made | null> {
  const fault = world.takeFault(exchange.path, name);
  if (fault?.kind === "hang") return exchange.hang().then(() => null);
  if (fault?.kind === "drop") return exchange.cut().then(() => null);
  const model = world.library.find(name);
  if (fault?.kind === "busy") refuse(503, BUSY);
  else if (fault?.kind === "error_line") refuse(500, fault.message ?? "do embedding request: EOF");
  else if (model === undefined) refuse(404, `model '${name}' not found`);
  else
    return embedAll(
      exchange,
      world,
      model,
      inputs,
      dimensions,
      keepMs,
      fault?.kind === "slow_first_token" ? fault.ms : 0,
    );
  return null;
}

async function embedAll(
  { signal }: Exchange,
  world: World,
  model: SimulatedModel,
  inputs: string[],
  dimensions: number | undefined,
  keepMs: number,
  extraMs: number,
): Promise<Made> {
  const start = process.hrtime.bigint();
  await world.runner.load(model, signal);
  const loadNs = Number(process.hrtime.bigint() - start);
  const slot = await world.runner.acquire(model, keepMs, signal);
  try {
    const tokens = inputs.reduce((sum, input) => sum + countOf(input) + 2, 0);
    await sleep((tokens * world.pace.tokenMs * model.pace) / 10 + extraMs, undefined, { signal });
    const width = Math.min(dimensions ?? model.embeddingLength, model.embeddingLength);
    return {
      vectors: inputs.map((input) => vectorOf(input, world.pace.seed, width)),
      tokens,
      loadNs,
    };
  } finally {
    slot.release();
  }
}

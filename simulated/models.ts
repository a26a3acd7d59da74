/**
 * The models that the simulated Ollama knows, with sizes and capabilities of real ones. Any other
 * name can be pulled and becomes a small text model.
 */
import { createHash } from "node:crypto";
import { withTag } from "../protocol/inventory.ts";

export type Capability = "completion" | "tools" | "vision" | "thinking" | "embedding";

export type SimulatedModel = {
  /** The name with its tag. */
  name: string;
  sizeBytes: number;
  /** Hexadecimal without `sha256:`, as in `/api/tags`. */
  digest: string;
  family: string;
  parameterSize: string;
  quantization: string;
  contextLength: number;
  embeddingLength: number;
  capabilities: Capability[];
  /** Time for one token of this model, as a multiple of the server's pace. */
  pace: number;
  modifiedAt: Date;
};

type Entry = [
  name: string,
  gigabytes: number,
  family: string,
  parameters: string,
  context: number,
  width: number,
  pace: number,
  abilities: Capability[],
];

const CATALOGUE: Entry[] = [
  ["llama3.2:latest", 2.02, "llama", "3.2B", 131_072, 3_072, 1, ["completion", "tools"]],
  ["llama3.3:70b", 42.5, "llama", "70.6B", 131_072, 8_192, 5, ["completion", "tools"]],
  ["qwen3:8b", 5.23, "qwen3", "8.2B", 40_960, 4_096, 1.6, ["completion", "tools", "thinking"]],
  [
    "gpt-oss:20b",
    13.8,
    "gptoss",
    "20.9B",
    131_072,
    2_880,
    1.3,
    ["completion", "tools", "thinking"],
  ],
  ["mistral:latest", 4.37, "llama", "7.2B", 32_768, 4_096, 1.5, ["completion", "tools"]],
  ["gemma3:12b", 8.15, "gemma3", "12.2B", 131_072, 3_840, 2.2, ["completion", "vision"]],
  ["nomic-embed-text:latest", 0.27, "nomic-bert", "137M", 2_048, 768, 0.3, ["embedding"]],
];

const MODIFIED_AT = new Date("2026-09-14T08:21:07.412Z");
const GENERIC: Entry = ["", 1.2, "llama", "1.2B", 8_192, 2_048, 0.8, ["completion", "tools"]];

/** Returns the context that a model is loaded with, unless a call requests another one. */
export const contextOf = ({ contextLength }: SimulatedModel): number =>
  Math.min(contextLength, 32_768);

/** Returns the model of this name. A name without a tag means `:latest`, as in Ollama. */
export function modelNamed(name: string, modifiedAt = MODIFIED_AT): SimulatedModel {
  const full = withTag(name);
  const entry = CATALOGUE.find(([known]) => known === full) ?? GENERIC;
  const [, gigabytes, family, parameterSize, contextLength, embeddingLength, pace, capabilities] =
    entry;
  return {
    name: full,
    sizeBytes: Math.round(gigabytes * 1e9),
    digest: createHash("sha256").update(`model ${full}`).digest("hex"),
    family,
    parameterSize,
    quantization: capabilities.includes("embedding") ? "F16" : "Q4_K_M",
    contextLength,
    embeddingLength,
    capabilities,
    pace,
    modifiedAt,
  };
}

/** The models that a simulated box has by default: one for each capability. */
export const DEFAULT_MODELS = ["llama3.2", "qwen3:8b", "gemma3:12b", "nomic-embed-text"];

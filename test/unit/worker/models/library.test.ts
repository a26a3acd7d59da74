import { expect, test } from "vitest";
import { LibraryModel } from "../../../../protocol/api/ollama.ts";
import type { RepositoryModel } from "../../../../protocol/api/repository.ts";
import { ModelName } from "../../../../protocol/api/shapes.ts";
import { isCloudModel } from "../../../../protocol/model-name.ts";
import {
  ABOUT_CATALOGUE,
  CATALOGUE,
  categoryOf,
  familyOf,
} from "../../../../worker/models/catalogue.ts";
import type { Installed } from "../../../../worker/models/installed.ts";
import { libraryModels, searchLibrary, sizeLabel } from "../../../../worker/models/library.ts";

const entry = (model_name: string, rest: Partial<RepositoryModel> = {}): RepositoryModel => ({
  id: 1,
  model_name,
  display_name: null,
  description: null,
  category: "general",
  size_label: null,
  size_bytes: null,
  is_favorite: false,
  is_installed: false,
  is_default: false,
  download_count: 0,
  usage_count: 0,
  total_tokens_generated: 0,
  last_used_at: null,
  installed_at: null,
  created_at: "2026-11-01T00:00:00.000Z",
  updated_at: "2026-11-01T00:00:00.000Z",
  installed_on: [],
  ...rest,
});

const NOWHERE = new Map<string, Installed>();
const search = (query: string, repository: RepositoryModel[] = [], category?: string) =>
  searchLibrary(libraryModels(repository, NOWHERE), query, category).map(({ name }) => name);

test("the catalogue lists each model once, with a name that can be pulled", () => {
  expect(CATALOGUE.length).toBeGreaterThanOrEqual(60);
  expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(CATALOGUE.length);
  expect(Date.parse(ABOUT_CATALOGUE.date)).toBeLessThan(Date.now());
  for (const { name, size, description, parameterSizes } of CATALOGUE) {
    expect(
      ModelName.safeParse(name).success && !name.includes(":") && !isCloudModel(name),
      name,
    ).toBe(true);
    if (size !== null) expect(size, name).toMatch(/^\d+(\.\d)? [MG]B$/);
    expect(description, name).toMatch(/^[^\n]{10,100}[^.\s]$/);
    for (const parameters of parameterSizes)
      expect(parameters, name).toMatch(/^(\d+x)?e?\d+(\.\d+)?[mb]$/);
  }
});

test("finds each model of the catalogue first by its own name", () => {
  for (const { name } of CATALOGUE) expect(search(name)[0], name).toBe(name);
});

const QUERIES: [query: string, first: string[]][] = [
  ["mistral", ["mistral", "mistral-nemo", "mistral-small3.2"]],
  ["gpt oss", ["gpt-oss", "gpt-oss-safeguard"]],
  ["QWEN3 Coder", ["qwen3-coder", "qwen3-coder-next"]],
  ["  embed   nomic ", ["nomic-embed-text", "nomic-embed-text-v2-moe"]],
  ["ocr", ["deepseek-ocr", "glm-ocr"]],
  ["405b", ["llama3.1", "hermes3"]],
  ["translation", ["translategemma"]],
  ["gemma safety", ["shieldgemma"]],
  ["no-such-model", []],
  ["mistral no-such-word", []],
];

test.each(QUERIES)("finds for %j, best first, %j", (query, first) => {
  const found = search(query);
  expect(found.slice(0, first.length)).toEqual(first);
  if (first.length === 0) expect(found).toEqual([]);
});

test("ranks matches in the name before matches in the description, and drops models without a match", () => {
  const found = search("code");
  const at = (name: string) => found.indexOf(name);
  expect(at("codestral")).toBeLessThan(at("qwen3-coder"));
  expect(at("qwen3.6")).toBe(-1);
  expect(at("glm-4.7-flash")).toBeGreaterThan(at("codellama"));
});

test("returns all models without a query, favourites and installed ones first, or one category", () => {
  const repository = [
    entry("tinyllama", { installed_on: ["atlas"] }),
    entry("mine/model:7b", { is_favorite: true, category: "embedding" }),
  ];
  const all = search("", repository);
  expect(all.slice(0, 2)).toEqual(["mine/model:7b", "tinyllama"]);
  expect(all).toHaveLength(CATALOGUE.length + 1);
  expect(search("", repository, "embedding")).toContain("mine/model:7b");
  expect(search("", repository, "embedding")).not.toContain("tinyllama");
  expect(search("", repository, "nothing")).toEqual([]);
});

test("prefers the fields set in the repository, and takes the others from the catalogue", () => {
  const repository = [
    entry("llama3.2", { description: "Our default", is_default: true, category: "mine" }),
    entry("qwen3:14b", { size_bytes: 9_300_000_000, display_name: "Big Qwen" }),
    entry("hf.co/user/model:Q4_K_M"),
  ];
  const models = libraryModels(
    repository,
    new Map([["gemma3", { boxes: ["atlas"], sizeBytes: null, installedAtMs: null }]]),
  );
  for (const model of models) LibraryModel.parse(model);
  const of = (name: string) => models.filter((model) => model.name === name);
  expect(of("llama3.2")).toEqual([
    expect.objectContaining({
      description: "Our default",
      size: "2.0 GB",
      category: "mine",
      source: "repository",
      is_default: true,
    }),
  ]);
  expect(of("qwen3:14b")[0]).toMatchObject({
    description: familyOf("qwen3")?.description,
    size: "9.3 GB",
    display_name: "Big Qwen",
  });
  expect(of("qwen3")[0]).toMatchObject({ source: "catalogue", size: "5.2 GB" });
  expect(of("hf.co/user/model:Q4_K_M")[0]).toMatchObject({
    description: null,
    size: null,
    parameter_sizes: [],
  });
  expect(of("gemma3")[0]).toMatchObject({ installed_on: ["atlas"] });
  expect(search("big", repository)[0]).toBe("qwen3:14b");
});

test.each([
  ["nomic-embed-text", "embedding"],
  ["qwen2.5-coder:7b", "code"],
  ["hf.co/user/qwen2.5-coder:7b", "general"],
  ["localhost:5000/user/llava", "general"],
])("puts %s in the category %s by default", (name, category) => {
  expect(categoryOf(name)).toBe(category);
});

test.each([
  [null, null],
  [274_302_450, "274 MB"],
  [2_019_393_189, "2.0 GB"],
  [42_520_413_916, "43 GB"],
])("formats %j bytes as %j", (bytes, label) => {
  expect(sizeLabel(bytes)).toBe(label);
});

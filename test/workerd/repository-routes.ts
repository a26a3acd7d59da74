/** Exercises the routes of the model repository, for either store. */
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";
import {
  RepositoryDeleted,
  RepositoryEntry,
  RepositoryModels,
  RepositorySync,
} from "../../protocol/api/repository.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { helloOf, readingsOf } from "../support/records.ts";

export const REPOSITORY_PATH = "/api/models/repository";

export async function callApi(
  method: string,
  path: string,
  body?: unknown,
): Promise<[status: number, answer: unknown]> {
  const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
  const answer = await exports.default.fetch(`http://localhost${path}`, { method, body: text });
  return [answer.status, await answer.json()];
}

/** Adds, reads, changes, toggles, syncs and deletes models with all kinds of names. */
export async function exerciseRepositoryRoutes(store: RepositoryEntry["store"]): Promise<void> {
  await aggregatorOf(env).connected(helloOf("atlas"));
  await aggregatorOf(env).read("atlas", readingsOf(Date.now(), ["llama3.2:latest"]));
  for (const [name, raw] of [
    ["plain", "plain"],
    ["qwen3:8b", "qwen3:8b"],
    ["hf.co/user/model:Q4_K_M", "hf.co/user/model:Q4_K_M"],
    ["hf.co/user/other:Q4_K_M", "hf.co%2Fuser%2Fother%3AQ4_K_M"],
    ["user/favorite", "user/favorite"],
  ] as const) {
    const shown = (fields: object) => [
      200,
      expect.objectContaining({ model_name: name, store, problem: null, ...fields }),
    ];
    const added = await callApi("POST", REPOSITORY_PATH, {
      model_name: name,
      display_name: "  A name ",
      category: "code",
      size_label: "2 GB",
    });
    expect(added).toEqual(shown({ display_name: "A name", category: "code", size_label: "2 GB" }));
    RepositoryEntry.parse(added[1]);
    expect(await callApi("GET", `${REPOSITORY_PATH}/${raw}`)).toEqual(added);
    expect(
      await callApi("PUT", `${REPOSITORY_PATH}/${raw}`, { is_default: true, display_name: null }),
    ).toEqual(shown({ is_default: true, display_name: null, category: "code" }));
    expect(await callApi("POST", `${REPOSITORY_PATH}/${raw}/favorite`)).toEqual(
      shown({ is_favorite: true }),
    );
  }
  const [, all] = await callApi(
    "GET",
    `${REPOSITORY_PATH}?favorites_only=true&category=code&installed_only=false`,
  );
  expect(RepositoryModels.parse(all)).toMatchObject({
    total: 5,
    favorites_count: 5,
    installed_count: 0,
  });
  expect(RepositoryModels.parse(all).models.filter(({ is_default }) => is_default)).toHaveLength(1);
  const [status, synced] = await callApi("POST", `${REPOSITORY_PATH}/sync`);
  expect(status).toBe(200);
  expect(RepositorySync.parse(synced)).toMatchObject({
    installed_count: 1,
    models: [{ model_name: "llama3.2" }],
    added: ["llama3.2"],
  });
  for (const raw of ["hf.co%2Fuser%2Fother%3AQ4_K_M", "user/favorite:latest"]) {
    const [deleted, answer] = await callApi("DELETE", `${REPOSITORY_PATH}/${raw}`);
    expect(deleted).toBe(200);
    expect(RepositoryDeleted.parse(answer).status).toBe("deleted");
    expect((await callApi("GET", `${REPOSITORY_PATH}/${raw}`))[0]).toBe(404);
  }
}

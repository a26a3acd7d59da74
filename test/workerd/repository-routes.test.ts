/** The routes of the model repository, stored in the Durable Object. */
import { expect, test } from "vitest";
import { ApiError } from "../../protocol/api/shapes.ts";
import { callApi, exerciseRepositoryRoutes, REPOSITORY_PATH } from "./repository-routes.ts";

test("adds, reads, changes, toggles, syncs and deletes models with all kinds of names", () =>
  exerciseRepositoryRoutes("durable_object"));

const BAD: [
  method: string,
  path: string,
  body: unknown,
  status: number,
  code: string,
  message: RegExp,
][] = [
  ["GET", `${REPOSITORY_PATH}?favorites_only=yes`, undefined, 400, "bad_request", /favorites_only/],
  ["GET", `${REPOSITORY_PATH}?installed_only=1`, undefined, 400, "bad_request", /installed_only/],
  ["GET", `${REPOSITORY_PATH}?category=`, undefined, 400, "bad_request", /category/],
  ["GET", `${REPOSITORY_PATH}?box=atlas`, undefined, 400, "bad_request", /box/],
  [
    "GET",
    `${REPOSITORY_PATH}/unknown`,
    undefined,
    404,
    "model_not_found",
    /no model named unknown in the repository/,
  ],
  ["GET", `${REPOSITORY_PATH}/a%20b`, undefined, 400, "bad_request", /name of a model/],
  ["GET", `${REPOSITORY_PATH}/%zz`, undefined, 400, "bad_request", /name of a model/],
  ["GET", `${REPOSITORY_PATH}/a?x=1`, undefined, 400, "bad_request", /x/],
  ["POST", REPOSITORY_PATH, "", 400, "bad_request", /empty/],
  ["POST", REPOSITORY_PATH, "{", 400, "bad_request", /not valid JSON/],
  ["POST", REPOSITORY_PATH, [], 400, "bad_request", /expected object/],
  ["POST", REPOSITORY_PATH, {}, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: 7 }, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: "" }, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: "a b" }, 400, "bad_request", /name of a model/],
  ["POST", REPOSITORY_PATH, { model_name: "a".repeat(351) }, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: "a", category: null }, 400, "bad_request", /category/],
  [
    "POST",
    REPOSITORY_PATH,
    { model_name: "a", category: "c".repeat(65) },
    400,
    "bad_request",
    /category/,
  ],
  [
    "POST",
    REPOSITORY_PATH,
    { model_name: "a", description: "d".repeat(2_001) },
    400,
    "bad_request",
    /description/,
  ],
  ["POST", REPOSITORY_PATH, { model_name: "a", size_label: 2 }, 400, "bad_request", /size_label/],
  [
    "POST",
    REPOSITORY_PATH,
    { model_name: "a", is_favorite: true },
    400,
    "bad_request",
    /is_favorite/,
  ],
  ["PUT", `${REPOSITORY_PATH}/a`, {}, 400, "bad_request", /at least one/],
  ["PUT", `${REPOSITORY_PATH}/a`, { is_default: "true" }, 400, "bad_request", /is_default/],
  ["PUT", `${REPOSITORY_PATH}/a`, { size_label: "2 GB" }, 400, "bad_request", /size_label/],
  ["PUT", `${REPOSITORY_PATH}/a`, { display_name: "  " }, 400, "bad_request", /display_name/],
  ["PUT", `${REPOSITORY_PATH}/unknown`, { is_favorite: true }, 404, "model_not_found", /unknown/],
  [
    "PUT",
    `${REPOSITORY_PATH}/hf.co/unknown/of:Q4`,
    { is_favorite: true },
    404,
    "model_not_found",
    /hf\.co\/unknown\/of:Q4/,
  ],
  ["POST", `${REPOSITORY_PATH}/unknown/favorite`, undefined, 404, "model_not_found", /unknown/],
  ["POST", `${REPOSITORY_PATH}/sync?box=a`, undefined, 400, "bad_request", /box/],
  ["DELETE", `${REPOSITORY_PATH}/unknown`, undefined, 404, "model_not_found", /unknown/],
  ["DELETE", REPOSITORY_PATH, undefined, 405, "method_not_allowed", /accepts GET, POST/],
  ["POST", `${REPOSITORY_PATH}/a`, {}, 405, "method_not_allowed", /accepts/],
  ["PATCH", `${REPOSITORY_PATH}/a`, {}, 405, "method_not_allowed", /accepts/],
];

test.each(BAD)(
  "rejects bad input %#: %s %s, in the API's error shape",
  async (method, path, body, status, code, message) => {
    const [got, answer] = await callApi(method, path, body);
    expect([got, ApiError.parse(answer).error]).toEqual([
      status,
      {
        code,
        message: expect.stringMatching(message),
        failed_at: "gateway",
        request_id: expect.any(String),
      },
    ]);
  },
);

/**
 * Runs around each file of tests. The files share one isolate, which loads the modules once; the objects
 * and what the isolate knows of them are new for each.
 */
import { reset } from "cloudflare:test";
import { afterAll, beforeAll } from "vitest";
import { forgetReadiness } from "../../worker/gateway/fleet.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { takeRecordsSince } from "./late-records.ts";

beforeAll(() => takeRecordsSince(Date.now()));

afterAll(async () => {
  takeRecordsSince(Number.POSITIVE_INFINITY);
  await reset();
  forgetBoxes();
  forgetReadiness();
});

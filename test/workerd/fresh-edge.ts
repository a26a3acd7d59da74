/**
 * Runs after each file of tests. The files share one isolate, which loads the modules once; the objects
 * and what the isolate knows of them are new for each.
 */
import { reset } from "cloudflare:test";
import { afterAll } from "vitest";
import { forgetReadiness } from "../../worker/gateway/fleet.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";

afterAll(async () => {
  await reset();
  forgetBoxes();
  forgetReadiness();
});

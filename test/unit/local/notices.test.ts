/** Third-party notices: every package that the product contains has one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { ROOT } from "../../../local/edge.ts";
import { commentOf, noticesOf, packagesOf } from "../../../local/notices.ts";

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()) });
const { dependencies } = Manifest.parse(
  JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")),
);

/** They build and deploy the product, which does not contain them. */
const TOOLS = ["esbuild", "vite", "wrangler"];

test("has the licence text of every run-time package", () => {
  const contained = Object.entries(dependencies).filter(([name]) => !TOOLS.includes(name));
  const notices = noticesOf(
    ROOT,
    contained.map(([name]) => name),
  );
  for (const [name, version] of contained) expect(notices).toContain(`\n${name} ${version} (`);
});

test("finds the packages that a bundle contains, nested and scoped ones included", () => {
  const files = [
    "agent/main.ts",
    "node_modules/ws/lib/sender.js",
    "node_modules/ws/wrapper.mjs",
    "/root/x/node_modules/@preact/signals/dist/signals.mjs",
    "node_modules/a/node_modules/@b/c/index.js",
    "C:\\x\\node_modules\\zod\\index.js",
  ];
  expect(packagesOf(files)).toEqual(["@b/c", "@preact/signals", "ws", "zod"]);
});

test("a licence text cannot end the comment that contains it", () => {
  expect(commentOf("a */ b\n")).toBe("/*!\na * / b\n*/\n");
});

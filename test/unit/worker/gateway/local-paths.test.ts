/** Answers of `/api/show` as callers without admin see them. */
import { expect, test } from "vitest";
import { withoutLocalPaths } from "../../../../worker/gateway/local-paths.ts";

const DIGEST = `sha256-${"a1".repeat(32)}`;

test.each([
  "/root/.ollama/models/blobs/",
  "/home/a user/models/blobs/",
  "C:\\Users\\new\\.ollama\\models\\blobs\\",
])("hides the folder %s in a Modelfile, and nothing else", async (folder) => {
  const modelfile = (path: string) =>
    `# FROM llama3.2:latest\n\nFROM ${path}${DIGEST}\nADAPTER ${path}${DIGEST}\nSYSTEM "é\\n"\n`;
  const body = (path: string) =>
    `{"license":"FROM here","modelfile":${JSON.stringify(modelfile(path))},"big":9007199254740993}`;
  const shown = await withoutLocalPaths(new Response(body(folder), { headers: { "x-box": "b" } }));
  expect(await shown.text()).toBe(body(""));
  expect(shown.headers.get("x-box")).toBe("b");
});

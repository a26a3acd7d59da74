/** The folders of a box in `/api/show`, which only administrators see. */
import { beforeAll, expect, test } from "vitest";
import { FrameType } from "../../protocol/frames.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { FakeAgent } from "./fake-agent.ts";
import { ADMIN, bearer, CALLER, call } from "./keyed-edge.ts";

const DIGEST = `sha256-${"a".repeat(64)}`;
const modelfile = (folder: string) => JSON.stringify({ modelfile: `FROM ${folder}${DIGEST}\n` });

let agent: FakeAgent;

beforeAll(async () => {
  agent = await FakeAgent.connect("shown");
});

test.each(["/ollama/api/show", "/api/show", `/ollama/k/${CALLER}/api/show`])(
  "shows the folders of a box at %s only with the admin key",
  async (path) => {
    const shownTo = async (key: string) => {
      forgetBoxes();
      const answered = call(path.replace(CALLER, key), {
        method: "POST",
        headers: path.includes("/k/") ? { "x-box": "shown" } : { ...bearer(key), "x-box": "shown" },
        body: '{"model":"m:1b"}',
      });
      const { stream } = await agent.next(FrameType.open);
      const type: [string, string][] = [["content-type", "application/json"]];
      agent.answer(stream, 200, type, modelfile("/home/me/.ollama/models/blobs/"));
      return (await answered).text();
    };
    expect(await shownTo(CALLER)).toBe(modelfile(""));
    expect(await shownTo(ADMIN)).toBe(modelfile("/home/me/.ollama/models/blobs/"));
  },
);

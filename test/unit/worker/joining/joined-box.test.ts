/** The boxes that may connect and have not. */
import { expect, test } from "vitest";
import { type JoinedBox, neverConnected } from "../../../../worker/joining/joined-box.ts";

const JOINED: JoinedBox = {
  box: "dill",
  id: "0011",
  joined_at_ms: Date.parse("2026-11-27T12:00:00Z"),
  ended_at_ms: null,
  ended: null,
};

test("boxes that joined or have a secret are listed until they connect, with the next step", () => {
  const secrets = ["home", "atlas", "dill"];
  const listed = (known: readonly string[]) => neverConnected([JOINED], secrets, new Set(known));
  expect(listed(["home"])).toEqual([
    {
      name: "atlas",
      admission: "secret",
      joined_at: null,
      next_step:
        "On the machine, run install.sh with EDGE_URL, BOX_NAME=atlas and its secret as BOX_SECRET.",
    },
    // A certificate goes before a secret, as when it connects.
    {
      name: "dill",
      admission: "certificate",
      joined_at: "2026-11-27T12:00:00.000Z",
      next_step:
        "On the machine, run ollama-edge-agent check: it names what keeps the agent from connecting.",
    },
  ]);
  expect(listed(["home", "atlas", "dill"])).toEqual([]);
});

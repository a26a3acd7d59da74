/** A new agent on a disk that is full. */
import { generateKeyPairSync } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { publicKeyOf, signatureOf } from "../../../../agent/joining/membership.ts";
import { digestOf, UpdateFolder } from "../../../../agent/update/update-folder.ts";
import { Updater } from "../../../../agent/update/updater.ts";
import { jsonBytes } from "../../../../protocol/frames.ts";
import { AGENT_PATH, offerText } from "../../../../protocol/update.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { mountsTmpfs, tmpfs } from "../spool/scene.ts";

test.runIf(mountsTmpfs())(
  "an agent that does not fit on the disk is not kept, and the old one goes on",
  async () => {
    await using disk = tmpfs("64k");
    await using edge = await FakeEdge.listen();
    const key = generateKeyPairSync("ed25519").privateKey;
    const content = Buffer.alloc(100_000, "a");
    edge.files.set(AGENT_PATH, content);
    let restarts = 0;
    const updater = new Updater({
      takes: "yes",
      box: "b",
      edge: { edgeUrl: new URL(edge.url), edgeSocket: null },
      signingKey: () => publicKeyOf(key),
      folder: new UpdateFolder(disk.folder, "mark"),
      comparable: null,
      running: () => "",
      probe: async () => "1",
      ready: () => restarts++,
      up: () => {},
      now: Date.now,
      log: () => {},
    });
    updater.attach({ bootId: "boot", openRequests: () => 0, changed: () => {} });
    const file = { version: "1", sha256: digestOf(content), bytes: content.length };
    const offer = () =>
      updater.offered(
        jsonBytes({ ...file, signatures: [signatureOf(key, offerText("b", "boot", file))] }),
      );
    offer();
    const failed = { state: "failed", reason: "it cannot be stored (ENOSPC)" };
    await waitFor(() => expect(updater.report()).toMatchObject(failed));
    expect(readdirSync(join(disk.folder, "updates"))).toEqual([]);
    expect(restarts).toBe(0);
    disk.grow("1m");
    offer();
    await waitFor(() => expect(restarts).toBe(1));
  },
);

import { expect, test } from "vitest";
import { IDS_MAX, SpoolIds } from "../../../../agent/spool/ids.ts";

test("remembers all open and unconfirmed request ids, and the newest others", () => {
  const ids = new SpoolIds();
  ids.begin("long", 0);
  for (let n = 1; n <= 3 * IDS_MAX; n++) {
    ids.begin(`id-${n}`, n - 1);
    ids.finish(`id-${n}`, n);
  }
  expect([ids.has("long"), ids.has("id-1"), ids.has(`id-${2 * IDS_MAX + 10}`)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(ids.settledIds(Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(IDS_MAX);
  for (let n = 0; n < 2 * IDS_MAX; n++) ids.begin(`open-${n}`, 0);
  expect(ids.has("open-0")).toBe(true);
});

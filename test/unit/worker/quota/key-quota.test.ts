/** The count of a key over several boxes, through kills of everything. */
import { expect, test } from "vitest";
import { callUse, limitsOf } from "../../../support/key-limits.ts";
import { QuotaWorld } from "../../../support/quota-world.ts";

const BOXES = ["atlas", "bree", "clun"];
const GRACE_MS = 30_000;

const isPlaced = (answer: unknown) => answer === null;

test("admits exactly ten of a thousand calls that arrive at once over three boxes", async () => {
  const world = new QuotaWorld({ limits: limitsOf({ parallel: 10 }), boxes: BOXES });
  const calls = Array.from({ length: 1_000 }, (_, n) =>
    world.offer(`call-${n}`, BOXES[n % BOXES.length] ?? ""),
  );
  expect((await Promise.all(calls)).filter(isPlaced)).toHaveLength(10);
});

test("the place of a call is free as soon as its end leaves its box, even if that news is lost", async () => {
  let isLost = false;
  const limits = limitsOf({ parallel: 1 });
  const world = new QuotaWorld({ limits, boxes: BOXES, isLost: () => isLost });
  await world.offer("first", "atlas");
  isLost = true;
  world.end("first", "atlas");
  await new Promise((resolve) => setTimeout(resolve));
  isLost = false;
  expect(await world.offer("next", "bree")).toBeNull();
});

test("the place of a call that a restart of its box cut off is free after the grace period", async () => {
  const world = new QuotaWorld({ limits: limitsOf({ parallel: 1 }), boxes: BOXES });
  await world.offer("first", "atlas");
  world.restart("atlas");
  expect(await world.offer("next", "bree")).toMatchObject({ max: 1 });
  await world.pass(GRACE_MS - 1);
  expect(await world.offer("next", "bree")).toMatchObject({ max: 1 });
  await world.pass(1);
  expect(await world.offer("next", "bree")).toBeNull();
});

test("a clock that jumps ahead frees no place of a call that may attach again", async () => {
  const world = new QuotaWorld({ limits: limitsOf({ parallel: 1 }), boxes: BOXES });
  await world.offer("first", "atlas");
  world.restart("atlas");
  await world.offer("next", "bree"); // the box does not have the call
  world.nowMs += 3_600_000;
  expect(await world.offer("next", "bree")).toMatchObject({ max: 1 });
  expect(await world.offer("first", "atlas", true)).toBeNull();
  expect(await world.offer("next", "bree")).toMatchObject({ max: 1 });
});

test("a call that attaches again after a restart keeps its place, and frees it at its end", async () => {
  const world = new QuotaWorld({ limits: limitsOf({ parallel: 1 }), boxes: BOXES });
  await world.offer("first", "atlas");
  world.restart("atlas");
  await world.offer("next", "bree"); // the box does not have the call
  expect(await world.offer("first", "atlas", true)).toBeNull();
  await world.pass(10 * GRACE_MS);
  expect(await world.offer("next", "bree")).toMatchObject({ max: 1 });
  world.close("first", "atlas");
  expect(await world.offer("next", "bree")).toBeNull();
});

test("a call that its agent has ended may still get its end, and takes no place for that", async () => {
  const world = new QuotaWorld({ limits: limitsOf({ parallel: 1 }), boxes: BOXES });
  await world.offer("first", "atlas");
  world.end("first", "atlas");
  expect(await world.offer("next", "bree")).toBeNull();
  expect(await world.offer("first", "atlas", true)).toBeNull();
  world.close("first", "atlas");
  expect(await world.offer("another", "atlas")).toMatchObject({ max: 1 });
});

test("a record that nobody passed on is read before a call is refused", async () => {
  const limits = limitsOf({ tokens: { day: 100 } });
  const world = new QuotaWorld({ limits, boxes: BOXES });
  for (let n = 0; n < 10; n++) {
    await world.offer(`call-${n}`, "atlas");
    world.end(`call-${n}`, "atlas");
    world.ledger.set(`call-${n}`, callUse({ tokens: 1 }));
  }
  expect(world.left().tokens?.day).toMatchObject({ used: 0, reserved: 100 });
  expect(await world.offer("next", "bree")).toBeNull();
  expect(world.left().tokens?.day).toMatchObject({ used: 10, reserved: 1 });
});

test("a record that nobody passed on is read beside a later call, although none is refused", async () => {
  const world = new QuotaWorld({ limits: limitsOf({ tokens: { day: 1_000 } }), boxes: BOXES });
  await world.offer("late", "atlas");
  world.end("late", "atlas");
  world.ledger.set("late", callUse({ tokens: 7 }));
  await world.pass(9_999); // it may still be on its way
  await world.offer("soon", "bree");
  await world.pass(1);
  expect(world.left().tokens?.day).toMatchObject({ used: 0 });
  await world.offer("next", "bree");
  await world.pass(1);
  expect(world.left().tokens?.day).toMatchObject({ used: 7 });
});

test("no call passes while the object of its key does not answer", async () => {
  const limits = limitsOf({ parallel: 1 });
  const world = new QuotaWorld({ limits, boxes: BOXES, isLost: () => true });
  expect(await world.offer("call", "atlas")).toBe("failed");
});

/** Returns random numbers that depend on the seed only. */
function randomOf(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

type Served = { box: string; atMs: number };

test.each(Array.from({ length: 40 }, (_, n) => n + 1))(
  "world %i: kills, lost messages and clock jumps admit no call too many, and lose no place",
  async (seed) => {
    const random = randomOf(seed * 7_919);
    const one = <Each>(of: readonly Each[]): Each | undefined => of[random(of.length || 1)];
    let isRough = true;
    const limits = limitsOf({
      parallel: 3,
      requests: { minute: 8 },
      tokens: { minute: 150, month: 1e9 },
    });
    const isLost = () => {
      const lost = isRough && random(12) === 0;
      if (lost && random(2) > 0) world.restartQuota();
      return lost;
    };
    const world: QuotaWorld = new QuotaWorld({ limits, boxes: BOXES, isLost });
    /** Calls that callers are served now, and all that were ever offered. */
    const open = new Map<string, Served>();
    const offered = new Map<string, Served>();
    const minutes = new Map<number, { requests: Set<string>; settled: number }>();
    const minuteOf = (ms: number) => {
      const at = Math.floor(ms / 60_000);
      const minute = minutes.get(at) ?? { requests: new Set(), settled: 0 };
      minutes.set(at, minute);
      return minute;
    };
    const offer = async (id: string, box: string, isResume: boolean) => {
      const { settled } = minuteOf(world.nowMs);
      const served = { box, atMs: world.nowMs };
      if (!offered.has(id)) offered.set(id, served);
      if ((await world.offer(id, box, isResume)) !== null) return void open.delete(id);
      open.set(id, served);
      if (isResume || offered.get(id) !== served) return;
      minuteOf(served.atMs).requests.add(id);
      expect(settled).toBeLessThan(150);
    };
    const used = { admitted: 0, offered: 0 };
    const admitted = (id: string) =>
      [...minutes.values()].find(({ requests }) => requests.has(id)) ?? null;
    const record = (id: string) => {
      const tokens = random(80);
      world.ledger.set(id, callUse({ tokens }));
      used.offered += tokens;
      if (admitted(id) !== null) used.admitted += tokens;
      return tokens;
    };
    const over = () => [...offered.keys()].filter((id) => !open.has(id) && !world.ledger.has(id));
    const steps: (() => unknown)[] = [
      () =>
        Promise.all(
          Array.from({ length: 1 + random(6) }, () =>
            offer(`call-${offered.size}-${random(1e6)}`, one(BOXES) ?? "", false),
          ),
        ),
      () => {
        const [id, { box }] = one([...open]) ?? ["", { box: "" }];
        if (id === "") return;
        open.delete(id); // before the Box knows
        world.end(id, box);
        if (random(2) > 0) world.close(id, box);
      },
      () => {
        const [id, { box }] = one([...open]) ?? ["", { box: "" }];
        open.delete(id);
        if (id !== "") world.close(id, box);
      },
      async () => {
        const [id, { box }] = one([...open]) ?? ["", { box: "" }];
        if (id === "") return;
        world.end(id, box);
        world.close(id, box);
        open.delete(id);
        await offer(id, BOXES.find((each) => each !== box) ?? "", false);
      },
      () => world.hibernate(one(BOXES) ?? ""),
      async () => {
        const killed = one(BOXES) ?? "";
        world.restart(killed);
        for (const [id, { box }] of open)
          if (box === killed)
            if (random(2) > 0) await offer(id, box, true);
            else open.delete(id); // its Worker was killed too
      },
      () => world.restartQuota(),
      () => {
        const id = one(over());
        if (id === undefined) return;
        const tokens = record(id);
        const minute = admitted(id);
        const times = random(3);
        for (let n = 0; n < times; n++) world.settle(id);
        if (minute !== null && times > 0) minute.settled += tokens;
      },
      () => world.pass(random(40_000)),
      async () => {
        const killed = one(BOXES) ?? "";
        const aheadMs = 3_600_000;
        world.restart(killed);
        const cut = [...open].filter(([, { box }]) => box === killed);
        // Reads that the calls are missing, before the clock jumps and after.
        for (const jumpMs of [0, aheadMs, -aheadMs]) {
          world.nowMs += jumpMs;
          await offer(`during-${offered.size}`, one(BOXES) ?? "", false);
        }
        for (const [id, { box }] of cut) await offer(id, box, true);
      },
      async () => {
        const aheadMs = random(2) > 0 ? 86_400_000 : -random(120_000);
        world.nowMs += aheadMs;
        await offer(`jump-${offered.size}`, one(BOXES) ?? "", false);
        world.nowMs -= aheadMs;
      },
    ];
    for (let n = 0; n < 300; n++) {
      await one(steps)?.();
      expect(open.size, `step ${n}`).toBeLessThanOrEqual(3);
      for (const { requests } of minutes.values()) expect(requests.size).toBeLessThanOrEqual(8);
    }
    isRough = false;
    for (const [id, { box }] of open) world.close(id, box);
    open.clear();
    for (const id of over()) record(id);
    for (let n = 0; n < 4; n++) {
      await world.pass(60_000);
      for (const each of ["a", "b", "c", "d"]) await world.offer(`${each}${n}`, "atlas");
      for (const each of ["a", "b", "c", "d"]) world.close(`${each}${n}`, "atlas");
      await new Promise((resolve) => setTimeout(resolve));
    }
    const { used: counted = 0 } = world.left().tokens?.month ?? {};
    expect(counted).toBeGreaterThanOrEqual(used.admitted);
    expect(counted).toBeLessThanOrEqual(used.offered);
    await world.pass(60_000);
    const last = await Promise.all(["e", "f", "g", "h"].map((id) => world.offer(id, "bree")));
    expect(last.map(isPlaced)).toEqual([true, true, true, false]);
  },
);

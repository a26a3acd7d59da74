import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairQueue, type Waiting } from "../../../../agent/queue/fair-queue.ts";
import type { Priority } from "../../../../protocol/priority.ts";

const request = (id: string, priority: Priority = "normal"): Waiting => ({
  id,
  lane: id[0] ?? "",
  priority,
  bytes: 1,
});

/** Ids in the order in which the queue serves them. */
function served(queue: FairQueue): string[] {
  const ids: string[] = [];
  for (let next = queue.next(); next !== null; next = queue.next()) ids.push(next.id);
  return ids;
}

const filled = (...ids: string[]): FairQueue => {
  const queue = new FairQueue();
  for (const id of ids) queue.add(request(id));
  return queue;
};

describe("order", () => {
  test("one caller is served in order of arrival", () => {
    expect(served(filled("a1", "a2", "a3"))).toEqual(["a1", "a2", "a3"]);
  });

  test("several callers take turns", () => {
    expect(served(filled("a1", "a2", "a3", "b1", "b2", "c1"))).toEqual([
      "a1",
      "b1",
      "c1",
      "a2",
      "b2",
      "a3",
    ]);
  });

  test("a new caller is next, however much another one has been served or has waiting", () => {
    const queue = filled(...Array.from({ length: 200 }, (_, n) => `a${n}`));
    for (let n = 0; n < 100; n++) queue.next();
    queue.add(request("b1"));
    expect(queue.next()?.id).toBe("b1");
  });

  test("a caller that sends one request at a time has half of the turns, not all", () => {
    const queue = filled(...Array.from({ length: 20 }, (_, n) => `a${n}`));
    queue.next();
    const order: string[] = [];
    for (let n = 0; n < 10; n++) {
      if (!order.at(-1)?.startsWith("b")) queue.add(request(`b${n}`));
      order.push(queue.next()?.id ?? "");
    }
    expect(order.filter((id) => id.startsWith("b"))).toHaveLength(5);
  });

  test("requests of low priority have one turn in nine", () => {
    const queue = new FairQueue();
    for (let n = 0; n < 40; n++) {
      queue.add(request(`a${n}`));
      queue.add(request(`z${n}`, "low"));
    }
    const first = Array.from({ length: 36 }, () => queue.next()?.id ?? "");
    expect(first.filter((id) => id.startsWith("z"))).toHaveLength(4);
  });

  test("requests of high priority have four turns in five, and one that comes is next", () => {
    const queue = new FairQueue();
    for (let n = 0; n < 40; n++) {
      queue.add(request(`a${n}`));
      queue.add(request(`h${n}`, "high"));
    }
    const first = Array.from({ length: 40 }, () => queue.next()?.id ?? "");
    expect(first.filter((id) => id.startsWith("h"))).toHaveLength(32);
    const busy = filled("a1", "a2", "b1", "b2");
    busy.next();
    busy.add(request("u1", "high"));
    expect(served(busy)[0]).toMatch(/^[bu]1$/);
    expect(busy.size).toBe(0);
  });

  test("no lane starves, and no request is lost, repeated or overtaken by its own lane", () => {
    const step = fc.oneof(
      fc.record({ lane: fc.constantFrom("a", "b", "c", "d"), isLow: fc.boolean() }),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new FairQueue();
        const added: string[] = [];
        const taken: string[] = [];
        const waits = new Map<string, number>();
        const take = () => {
          const next = queue.next();
          if (next === null) return;
          taken.push(next.id);
          waits.delete(next.id);
          for (const [id, turns] of waits) waits.set(id, turns + 1);
        };
        for (const [n, plan] of steps.entries()) {
          if (plan === null) {
            take();
            continue;
          }
          const id = `${plan.lane}${plan.isLow ? "-" : "+"}${n}`;
          const lane = added.filter((other) => other.slice(0, 2) === id.slice(0, 2));
          const isFirst = lane.every((other) => taken.includes(other));
          queue.add({ ...request(id, plan.isLow ? "low" : "normal") });
          added.push(id);
          // Eight lanes: three other normal ones for each of its turns, or eight times that for low.
          if (isFirst) waits.set(id, 0);
          for (const turns of waits.values()) expect(turns).toBeLessThan(8 * 8);
        }
        while (queue.size > 0) take();
        expect(taken.toSorted()).toEqual(added.toSorted());
        for (const lane of ["a+", "a-", "b+", "b-", "c+", "c-", "d+", "d-"]) {
          const own = (ids: string[]) => ids.filter((id) => id.startsWith(lane));
          expect(own(taken)).toEqual(own(added));
        }
      }),
    );
  });
});

describe("places", () => {
  test("they are the order of service", () => {
    const queue = filled("a1", "a2", "b1", "c1", "c2");
    queue.next();
    const places = [...queue.places(1)].sort(([, a], [, b]) => a.position - b.position);
    expect(places.map(([id]) => id)).toEqual(served(queue));
    expect(places.map(([, { position }]) => position)).toEqual([1, 2, 3, 4]);
  });

  test("they are the order of service, whatever has been served and added", () => {
    const step = fc.oneof(
      fc.record({ lane: fc.constantFrom("a", "b", "c"), isLow: fc.boolean() }),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const queue = new FairQueue();
        for (const [n, plan] of steps.entries()) {
          if (plan === null) {
            queue.next();
            continue;
          }
          const newest = request(`${plan.lane}${n}`, plan.isLow ? "low" : "normal");
          queue.add(newest);
          expect(queue.placeOfNewest(newest, 2)).toEqual(queue.places(2).get(newest.id));
        }
        expect([...queue.places(1).keys()]).toEqual(served(queue));
      }),
    );
  });

  test("the estimate is unknown until a request has been served", () => {
    expect(filled("a1").places(1).get("a1")).toEqual({ position: 1, etaMs: null });
  });

  test("the estimate counts the requests before and the slots", () => {
    const queue = filled("a1", "a2", "a3", "a4");
    queue.served(1_000);
    const etas = (slots: number) => [...queue.places(slots).values()].map(({ etaMs }) => etaMs);
    expect(etas(1)).toEqual([1_000, 2_000, 3_000, 4_000]);
    expect(etas(2)).toEqual([500, 1_000, 1_500, 2_000]);
  });
});

test("a request that leaves is not served", () => {
  const queue = filled("a1", "a2", "b1");
  queue.remove("a1");
  queue.remove("unknown");
  expect(queue.size).toBe(2);
  expect(served(queue)).toEqual(["a2", "b1"]);
});

test("the newest request of the longest lane is the last", () => {
  expect(filled("a1", "b1", "b2", "c1").last()).toMatchObject({ request: { id: "b2" }, length: 2 });
  expect(new FairQueue().last()).toBeNull();
});

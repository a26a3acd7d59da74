import fc from "fast-check";
import { expect, test } from "vitest";
import { eventsIn } from "../../../../dashboard/data/events.ts";

test("reads events whole wherever the stream is cut", () => {
  const text = 'data: {"a":1}\n\n: a comment\n\ndata: x\ndata: y\r\n\r\ndata:z\n\n';
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const ends = [...cuts.sort((a, b) => a - b), text.length];
      const all: string[] = [];
      let rest = "";
      let from = 0;
      for (const end of ends) {
        const read = eventsIn(rest + text.slice(from, end));
        all.push(...read.events);
        rest = read.rest;
        from = end;
      }
      expect(all).toEqual(['{"a":1}', "x\ny", "z"]);
    }),
  );
});

/**
 * A program that sends random requests through a spool until it is killed, and prints each step.
 *
 * Arguments: folder, seed. Each line is one synchronous write, so the lines printed before a
 * SIGKILL are complete: `+ id` will begin, `b id` has begun, `f id` finished, `d id status`
 * returned for delivery, `c id` confirmed by the edge (printed before the call to `confirm`).
 */
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { Spool } from "../../agent/spool/spool.ts";
import { finished, opened } from "./spool-requests.ts";

const [folder = "", seed = "1"] = process.argv.slice(2);
const print = (line: string) => writeSync(1, `${line}\n`);

let state = Number(seed);
/** Park and Miller's generator: good enough for choices that can be replayed. */
const random = (): number => {
  state = (state * 48_271) % 2_147_483_647;
  return state / 2_147_483_647;
};

const spool = Spool.open(folder, { now: Date.now, log: () => {} });
const open: string[] = [];
print("ready");
setInterval(() => {
  for (let turn = 0; turn < 20; turn++) step(random());
});

function step(choice: number): void {
  if (choice < 0.45) {
    const id = randomUUID();
    print(`+ ${id}`);
    spool.begin(opened(id));
    print(`b ${id}`);
    open.push(id);
  } else if (choice < 0.9) {
    const id = open.splice(Math.floor(random() * open.length), 1)[0];
    if (id === undefined) return;
    spool.finish(finished(id, "x".repeat(Math.floor(random() * 50_000))));
    print(`f ${id}`);
  } else {
    const batch = spool.next(50);
    if (batch === null) return;
    for (const record of batch.records) print(`d ${record.request_id} ${record.status}`);
    if (random() < 0.2) return;
    for (const record of batch.records) print(`c ${record.request_id}`);
    spool.confirm(batch.position);
  }
}

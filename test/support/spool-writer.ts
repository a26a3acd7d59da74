/**
 * Serves made-up requests through a spool until it is killed, saying each step on stdout.
 *
 * Arguments: folder, seed. A line is said with one synchronous write, so what was said before
 * a SIGKILL is known: `+ id` will begin, `b id` begun, `f id` finished, `d id status` handed
 * out, `c id` confirmed (by the edge, that is: said before the spool is told).
 */
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { Spool } from "../../agent/spool/spool.ts";
import { finished, opened } from "./spool-requests.ts";

const [folder = "", seed = "1"] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);

let state = Number(seed);
/** Park and Miller's generator: enough for choices that replay. */
const random = (): number => {
  state = (state * 48_271) % 2_147_483_647;
  return state / 2_147_483_647;
};

const spool = Spool.open(folder, { now: Date.now, log: () => {} });
const open: string[] = [];
say("ready");
setInterval(() => {
  for (let turn = 0; turn < 20; turn++) step(random());
});

function step(choice: number): void {
  if (choice < 0.45) {
    const id = randomUUID();
    say(`+ ${id}`);
    spool.begin(opened(id));
    say(`b ${id}`);
    open.push(id);
  } else if (choice < 0.9) {
    const id = open.splice(Math.floor(random() * open.length), 1)[0];
    if (id === undefined) return;
    spool.finish(finished(id, "x".repeat(Math.floor(random() * 50_000))));
    say(`f ${id}`);
  } else {
    const batch = spool.next(50);
    if (batch === null) return;
    for (const record of batch.records) say(`d ${record.request_id} ${record.status}`);
    if (random() < 0.2) return;
    for (const record of batch.records) say(`c ${record.request_id}`);
    spool.confirm(batch.position);
  }
}

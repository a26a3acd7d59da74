import { summaryOf } from "./accounts.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { GROWTH_MAX_MB, Growth } from "./growth.ts";
import type { Setting } from "./suite.ts";
import { loadNow } from "./waiting.ts";

export type SlowCallerPlan = { rounds: number; fast: number; callsPerRound: number };

const MIB = 1_024 * 1_024;
const SLOW_BYTES_PER_SECOND = 1_000;
const PIECE_BYTES = 64 * 1_024;
const PIECES_OF_A_GIGABYTE = 16 * 1_024;
/**
 * Limit of the bytes between Ollama and a caller that does not read: one window and the buffers of
 * four sockets.
 */
const ON_THE_WAY_MAX_MB = 64;
/** One caller reads 1 kB/s of a body of 1 GB, beside fast ones. */
export async function slowCaller(
  { stage, print }: Setting,
  { rounds, fast, callsPerRound }: SlowCallerPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers } = chain;
  const fastRound = async () => {
    let left = fast * callsPerRound;
    const before = callers.entries.length;
    await callers.load(
      fast,
      () => ({ shape: "ndjson", tokens: 100, tokenMs: 5 }),
      () => left-- <= 0,
    );
    return callers.entries.slice(before).map(({ totalMs }) => totalMs);
  };
  await fastRound(); // the first round is slower, and memory grows to its working size
  const without: number[] = [];
  const beside: number[] = [];
  const growths: Record<"workerd" | "agent", { fromMb: number; mb: number }[]> = {
    workerd: [],
    agent: [],
  };
  let onTheWayMb = 0;
  for (let round = 0; round < rounds; round++) {
    without.push(...(await fastRound()));
    const growth = {
      workerd: new Growth(chain.part("workerd")),
      agent: new Growth(chain.part("agent")),
    };
    const slow = callers.call("plain", PIECES_OF_A_GIGABYTE, 0, {
      pieceBytes: PIECE_BYTES,
      readBytesPerSecond: SLOW_BYTES_PER_SECOND,
    });
    await slow.nextByte(5_000);
    beside.push(...(await fastRound()));
    onTheWayMb = Math.max(onTheWayMb, (await chain.written(slow.callPlan.key)) / MIB);
    growths.workerd.push(growth.workerd.stop());
    growths.agent.push(growth.agent.stop());
    slow.leave();
    await slow.ended;
    print(`round ${round + 1} of ${rounds}`);
  }
  const [alone, together] = [spreadOf(without), spreadOf(beside)];
  const ratio = { p50: together.p50 / alone.p50, p99: together.p99 / alone.p99 };
  const most = (part: "workerd" | "agent") => Math.max(...growths[part].map(({ mb }) => mb));
  const problems = [...callers.wrongs];
  if (onTheWayMb > ON_THE_WAY_MAX_MB)
    problems.push(`Ollama sent ${Math.round(onTheWayMb)} MB to a caller that read next to nothing`);
  for (const part of ["workerd", "agent"] as const)
    if (most(part) > GROWTH_MAX_MB) problems.push(`${part} grew by ${most(part)} MB`);
  const accounts = await chain.accounts();
  const subject = `a caller of 1 kB/s on 1 GB beside ${fast} fast ones`;
  return [
    promise(
      "R12",
      subject,
      "Ollama slowed, memory flat",
      `Ollama sent ${onTheWayMb.toFixed(1)} MB; workerd ${growths.workerd[0]?.fromMb} + ${most("workerd")} MB, agent ${growths.agent[0]?.fromMb} + ${most("agent")} MB; ${summaryOf(accounts)}`,
      [...problems, ...accounts.problems],
    ),
    measured(
      "R12",
      "the fast callers beside it / without it",
      "p99 <= 1.1 x",
      `p50 ${ratio.p50.toFixed(2)} x, p99 ${ratio.p99.toFixed(2)} x (${together.text} against ${alone.text}), ${loadNow()}`,
      ratio.p99 <= 1.1,
    ),
  ];
}

/**
 * P11: WebSocket messages per streamed answer of 300 tokens at 5 ms a token, including the request,
 * records and acknowledgements.
 */
import { CountingProxy, type Counts } from "./counting-proxy.ts";
import { type Figure, median, overRounds, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 3;
const TOKENS = 300;
const TOKEN_MS = 5;

export async function measureMessages(stage: Stage): Promise<Figure[]> {
  let proxy: CountingProxy | null = null;
  const chain = await stage.startChain("counted", (port) => {
    proxy = new CountingProxy(port);
    return proxy.listen();
  });
  using counting = proxy as CountingProxy | null;
  if (counting === null) throw new Error("the agent does not connect through the proxy");
  const figures = [
    {
      ...(await measure(stage, chain, counting, "P11", 1)),
      goal_now: { atMost: 40 },
      goal: { atMost: 20 },
    },
    {
      ...(await measure(stage, chain, counting, "P11.16", 16)),
      goal_now: { atMost: 40 },
      goal: { atMost: 13 },
    },
  ];
  await chain.check();
  await chain.stop();
  return figures;
}

async function measure(
  stage: Stage,
  chain: Chain,
  proxy: CountingProxy,
  id: string,
  callers: number,
): Promise<Figure> {
  const rounds: Counts[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    proxy.take();
    await stage.run(chain, {
      tokens: TOKENS,
      tokenMs: TOKEN_MS,
      stream: true,
      callers,
      until: { calls: 1 },
    });
    rounds.push(proxy.take());
  }
  const perCall = (read: (counts: Counts) => number) =>
    rounds.map((counts) => read(counts) / callers);
  const typical = (read: (counts: Counts) => number) => round(median(perCall(read)));
  return {
    id,
    name: `messages on the agent's socket per stream of ${TOKENS} tokens at ${TOKEN_MS} ms, ${callers} at once`,
    ...overRounds(perCall(({ agent }) => agent)),
    unit: "messages",
    goal_now: null,
    goal: null,
    detail: {
      to_agent: typical(({ toAgent }) => toAgent),
      from_agent: typical(({ agent, toAgent }) => agent - toAgent),
      box_and_workers: typical(({ workers }) => workers),
      both_hops: typical(({ agent, workers }) => agent + workers),
      heartbeats: typical(({ heartbeats }) => heartbeats),
    },
  };
}

/** A box scripted by a test: a fake agent, whose models the registry knows. */
import { env } from "cloudflare:workers";
import { FrameType, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { Open } from "../../protocol/messages.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { readingsOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

export type Answer = { status: number; body: string };

export class FakeBox {
  readonly name: string;
  readonly agent: FakeAgent;
  readonly received: { open: Open; stream: string; body: unknown }[] = [];

  private constructor(name: string, agent: FakeAgent) {
    this.name = name;
    this.agent = agent;
  }

  static async connect(
    name: string,
    models: string[],
    features: Parameters<typeof FakeAgent.connect>[4] = {},
  ): Promise<FakeBox> {
    const agent = await FakeAgent.connect(name, crypto.randomUUID(), {}, {}, features);
    const box = new FakeBox(name, agent);
    await box.has(models);
    return box;
  }

  /** Sends readings, and waits until the registry knows them. */
  async has(models: string[], loaded: string[] = []): Promise<void> {
    this.report(models, loaded);
    await eventually(async () => {
      const found = (await aggregatorOf(env).registry()).find(({ name }) => name === this.name);
      const inventory = found?.readings?.inventory;
      const known = [inventory?.models, inventory?.loaded].map(namesOf);
      return JSON.stringify(known) === JSON.stringify([models, loaded]);
    });
    forgetBoxes();
  }

  /** Sends readings. */
  report(models: string[], loaded: string[] = [], reachable = true): void {
    const readings = readingsOf(Date.now(), models, [], loaded);
    readings.inventory.reachable = reachable;
    this.agent.send(tunnelFrame(FrameType.readings, readings));
  }

  /** Waits for the next request to the box's Ollama. */
  async next(): Promise<{ open: Open; stream: string; body: unknown }> {
    const { stream, payload } = await this.agent.next(FrameType.open);
    const body: unknown = JSON.parse(
      new TextDecoder().decode((await this.agent.next(FrameType.data)).payload),
    );
    const request = { open: parsePayload(Open, payload), stream, body };
    this.received.push(request);
    return request;
  }

  /** Answers the next request, and then reports these models, if any. */
  async answer({ status, body }: Answer, models?: string[]): Promise<void> {
    const { stream } = await this.next();
    this.agent.answer(
      stream,
      status,
      [["content-type", status === 200 ? "application/x-ndjson" : "application/json"]],
      body,
    );
    if (models !== undefined) this.report(models);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.socket.close(1000, "the test is over");
    await eventually(async () =>
      (await aggregatorOf(env).registry()).some(
        ({ name, state }) => name === this.name && state === "down",
      ),
    );
    forgetBoxes();
  }
}

const namesOf = (entries: readonly { name: string }[] | undefined) =>
  entries?.map(({ name }) => name);

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export const SUCCESS: Answer = {
  status: 200,
  body: '{"status":"pulling manifest"}\n{"status":"success"}\n',
};
export const DELETED: Answer = { status: 200, body: "" };
export const NOT_FOUND: Answer = { status: 404, body: '{"error":"model \'a\' not found"}' };

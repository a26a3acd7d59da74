/**
 * The owner's phone: each fault of a process, a GPU or a link sends one message when it has lasted, and one
 * when it is over. The receiver takes every message but refuses it at first, so each is sent twice.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { ConcernCode } from "../../protocol/concerns.ts";
import { type FakeSmi, fakeSmi, OFF_THE_BUS, type Step } from "../support/fake-nvidia-smi.ts";
import type { Chain } from "./chain.ts";
import { type Finding, promise } from "./figures.ts";
import type { Setting } from "./suite.ts";
import { until } from "./waiting.ts";

/** A concern lasts two minutes first, an idle agent reports every 150 s, and a judgement follows within 30 s. */
const MESSAGE_MS = 8 * 60_000;
/** Messages to a target are at least a minute apart, so a second one would have come by then. */
const QUIET_MS = 90_000;
/** Shorter than any concern of these must last. */
const CUT_MS = 20_000;

const CARD: Step = {
  rows: [{ index: "0", uuid: "GPU-1", name: "NVIDIA RTX 3090", "memory.total": "24576" }],
};

/** A fault that lasts until it is healed; `code` is null for one that is over before anybody must know. */
type Story = {
  fault: string;
  code: ConcernCode | null;
  strike: (chain: Chain, smi: FakeSmi) => Promise<void> | void;
  heal: (chain: Chain, smi: FakeSmi) => Promise<void> | void;
};

const close = ({ proxy }: Chain): void => {
  proxy.isOpen = false;
  proxy.cut();
};
const open = ({ proxy }: Chain): void => {
  proxy.isOpen = true;
};

const STORIES: readonly Story[] = [
  {
    fault: "the agent is killed",
    code: "box_down",
    strike: (chain) => chain.kill("agent"),
    heal: (chain) => chain.start("agent"),
  },
  {
    fault: "Ollama is killed",
    code: "ollama_unreachable",
    strike: (chain) => chain.kill("ollama"),
    heal: (chain) => chain.start("ollama"),
  },
  {
    fault: "Ollama hangs",
    code: "ollama_unreachable",
    strike: (chain) => chain.part("ollama").signal("SIGSTOP"),
    heal: (chain) => chain.part("ollama").signal("SIGCONT"),
  },
  {
    fault: "the agent stands still",
    code: "box_down",
    strike: (chain) => chain.part("agent").signal("SIGSTOP"),
    heal: (chain) => chain.part("agent").signal("SIGCONT"),
  },
  {
    fault: "the GPU falls off the bus",
    code: "gpu_lost",
    strike: (_, smi) => smi.turnTo(OFF_THE_BUS),
    heal: (_, smi) => smi.turnTo(CARD),
  },
  { fault: "the way to the edge is closed", code: "box_down", strike: close, heal: open },
  {
    fault: "the way is closed, and the edge is killed twice meanwhile",
    code: "box_down",
    strike: async (chain) => {
      close(chain);
      for (const pauseMs of [5_000, 60_000]) {
        await sleep(pauseMs);
        await chain.restart("workerd");
      }
    },
    heal: open,
  },
  {
    fault: `the way is closed for ${CUT_MS / 1_000} s`,
    code: null,
    strike: async (chain) => {
      close(chain);
      await sleep(CUT_MS);
    },
    heal: open,
  },
];

export async function messages(setting: Setting): Promise<Finding[]> {
  return Promise.all(STORIES.map((story) => played(setting, story)));
}

async function played({ stage, print }: Setting, story: Story): Promise<Finding> {
  const { fault, code } = story;
  await using phone = await Phone.start();
  const smi = fakeSmi([CARD]);
  await using chain = await stage.chain({ agentEnv: { NVIDIA_SMI: smi.command } });
  const target = { kind: "webhook", url: phone.url };
  const added = await fetch(`${chain.url}/api/notifications`, {
    method: "POST",
    body: JSON.stringify(target),
  });
  if (!added.ok) throw new Error(`The target was refused: ${await added.text()}`);
  await until(async () => (await chain.boxes())[0]?.gpus.length === 1, `${fault}: the GPU is read`);
  const startMs = performance.now();
  const seconds = () => Math.round((performance.now() - startMs) / 1_000);
  await story.strike(chain, smi);
  const times: string[] = [];
  const arrived = async (list: () => readonly string[], name: string) => {
    if (code === null) return;
    await until(() => list().length > 0, `${fault}: the message that it ${name}`, MESSAGE_MS);
    times.push(`${name} after ${seconds()} s`);
    print(`${fault}: ${times.at(-1)}`);
  };
  await arrived(() => phone.opened, "began");
  await story.heal(chain, smi);
  await arrived(() => phone.closed, "is over");
  await sleep(QUIET_MS);
  const wanted = code === null ? [] : [code];
  const problems = [
    ...differences("began", phone.opened, wanted),
    ...differences("are over", phone.closed, wanted),
  ];
  return promise(
    "M1",
    fault,
    code === null ? "no message" : `one message of ${code}, and one when it is over`,
    times.join(", ") || "no message",
    problems,
  );
}

const differences = (subject: string, got: readonly string[], wanted: readonly string[]) =>
  got.join() === wanted.join() ? [] : [`concerns that ${subject}: ${got.join(", ") || "none"}`];

const Body = z.object({
  opened: z.array(z.object({ code: z.string(), text: z.string() })),
  closed: z.array(z.object({ code: z.string(), text: z.string() })),
});

/** A receiver that answers 503 to the first attempt of each message. */
class Phone implements AsyncDisposable {
  /** Codes of the concerns in the messages that it took. */
  readonly opened: string[] = [];
  readonly closed: string[] = [];
  readonly #refused = new Set<string>();
  readonly #server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const id = String(request.headers["webhook-id"]);
    if (!this.#refused.has(id)) {
      this.#refused.add(id);
      return void response.writeHead(503).end();
    }
    const { opened, closed } = Body.parse(JSON.parse(text));
    this.opened.push(...opened.map(({ code }) => code));
    this.closed.push(...closed.map(({ code }) => code));
    response.end("ok");
  });

  static async start(): Promise<Phone> {
    const phone = new Phone();
    await new Promise<void>((resolve) => phone.#server.listen(0, "127.0.0.1", resolve));
    return phone;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

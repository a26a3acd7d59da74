/** A box that joins in workerd: it has a key, and a certificate once it has joined. */
import { FrameType } from "../../protocol/frames.ts";
import { boxAuthorization, type Joined, proofText } from "../../protocol/joining.ts";
import { SUBPROTOCOL } from "../../protocol/limits.ts";
import { hexOf } from "../../worker/hex.ts";
import { FakeAgent, type Features } from "./fake-agent.ts";
import { call, fetchOn } from "./keyed-edge.ts";

const HOST = "edge.example";
const encoder = new TextEncoder();

export class Joiner {
  readonly #keys: CryptoKeyPair;
  readonly box: string;
  certificate = "";

  private constructor(box: string, pair: CryptoKeyPair) {
    this.box = box;
    this.#keys = pair;
  }

  static async make(box: string): Promise<Joiner> {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
    return new Joiner(box, pair as CryptoKeyPair);
  }

  async publicKey(): Promise<string> {
    return hexOf((await crypto.subtle.exportKey("raw", this.#keys.publicKey)) as ArrayBuffer);
  }

  async sign(text: string): Promise<string> {
    const key = this.#keys.privateKey;
    return hexOf(await crypto.subtle.sign({ name: "Ed25519" }, key, encoder.encode(text)));
  }

  async join(code: string, { nowMs = Date.now(), host = HOST } = {}): Promise<Response> {
    const body = {
      ...{ code, box: this.box, public_key: await this.publicKey(), now_ms: nowMs },
      signature: await this.sign(proofText("join", host, this.box, code, nowMs)),
    };
    const answer = await call("/agent/join", { method: "POST", body: JSON.stringify(body) });
    if (answer.status === 200) this.certificate = (await answer.clone().json<Joined>()).certificate;
    return answer;
  }

  async proof({
    purpose = "connect" as "connect" | "leave",
    host = HOST,
    nowMs = Date.now(),
    certificate = this.certificate,
  } = {}): Promise<Record<string, string>> {
    const signature = await this.sign(proofText(purpose, host, this.box, certificate, nowMs));
    return { authorization: boxAuthorization(certificate, nowMs, signature) };
  }

  async dial(proof: Parameters<Joiner["proof"]>[0] = {}): Promise<Response> {
    const headers = { upgrade: "websocket", "sec-websocket-protocol": SUBPROTOCOL };
    const init = { headers: { ...headers, ...(await this.proof(proof)) } };
    return fetchOn(`/agent/connect?box=${this.box}`, init);
  }

  async connect(features: Features = {}): Promise<FakeAgent> {
    const answer = await this.dial();
    if (answer.webSocket === null) throw new Error(`${answer.status} ${await answer.text()}`);
    const agent = new FakeAgent(answer.webSocket);
    agent.hello(this.box, crypto.randomUUID(), features);
    await agent.next(FrameType.welcome);
    return agent;
  }
}

/**
 * The walk of docs/people.md: an edge with keys and no box, and the steps that an owner and a member take
 * on its page. The browser tests check each step, and `npm run screenshots` takes a picture after it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { AGENT, SIMULATED_SMI } from "../../local/edge.ts";
import { OwnKey } from "../../protocol/api/keys.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { Issuer, newSigner, type Signer, signed } from "../support/issuer.ts";
import { TestStack } from "../support/stack.ts";

export const OWNER = "an-owner-key-for-the-walk";
const AUDIENCE = "client-of-the-walk";

export class Walk implements AsyncDisposable {
  readonly stack: TestStack;
  readonly #ollama: SimulatedOllama;
  readonly #issuer: Issuer;
  readonly #signer: Signer;

  private constructor(parts: {
    stack: TestStack;
    ollama: SimulatedOllama;
    issuer: Issuer;
    signer: Signer;
  }) {
    this.stack = parts.stack;
    this.#ollama = parts.ollama;
    this.#issuer = parts.issuer;
    this.#signer = parts.signer;
  }

  static async start(): Promise<Walk> {
    const signer = await newSigner("walk");
    const issuer = await Issuer.start(signer);
    const people = {
      OIDC_ISSUER: issuer.url,
      OIDC_AUDIENCE: AUDIENCE,
      OIDC_CLIENT_ID: AUDIENCE,
      OIDC_MEMBERS: "*@example.com",
    };
    const [stack, ollama] = await Promise.all([
      TestStack.start({ AUTH_MODE: "keys", ADMIN_KEY: OWNER, ...people }),
      startSimulatedOllama({ models: ["llama3.2", "qwen3:8b"], tokenMs: 40, loadMsPerGb: 1 }),
    ]);
    return new Walk({ stack, ollama, issuer, signer });
  }

  get url(): string {
    return this.stack.url;
  }

  /**
   * Runs the line of the page, as far as it does not install anything.
   * @param content  added to the agent, which makes it another build
   */
  join(command: string, content = ""): void {
    const code = command.split(" ").at(-1) ?? "";
    const program = join(this.stack.folder, "agent.mjs");
    writeFileSync(program, `${readFileSync(AGENT, "utf8")}${content}`);
    this.stack.spawnAgent({
      name: "atlas",
      program,
      ollamaUrl: this.#ollama.url,
      args: ["join", this.url, code],
      env: {
        EDGE_URL: "",
        NVIDIA_SMI: SIMULATED_SMI,
        SIMULATED_OLLAMA: this.#ollama.url,
        SIMULATED_GPU: "rtx-4090",
      },
    });
  }

  /** Calls a model as a client of a member does. */
  chat(key: string, body: object): Promise<Response> {
    return fetch(`${this.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: "llama3.2",
        messages: [{ role: "user", content: "Hello" }],
        ...body,
      }),
    });
  }

  /** The identity provider knows the browser as a person from now on. */
  isAtProvider(email: string): void {
    const claims = { sub: email, email };
    this.#issuer.client = { id: AUDIENCE, secret: null, signer: this.#signer, claims };
  }

  /** Returns a token of the identity provider for a person. */
  tokenOf(email: string): Promise<string> {
    const exp = Math.floor(Date.now() / 1_000) + 3_600;
    const claims = { iss: this.#issuer.url, aud: AUDIENCE, sub: email, email, exp };
    return signed(this.#signer, claims);
  }

  ownKey = async (key: string): Promise<OwnKey> =>
    OwnKey.parse(
      await this.stack.json("/api/keys/self", { headers: { authorization: `Bearer ${key}` } }),
    );

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
    await this.#ollama.close();
    await this.#issuer[Symbol.asyncDispose]();
  }
}

export async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel("API key", { exact: true }).fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor({ state: "detached" });
}

/** Opens the form of a key, and fills it in for one model with a daily limit. */
export async function fillKey(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "Make a key" }).click();
  const dialog = page.getByRole("dialog", { name: "Make a key" });
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByLabel("Models", { exact: true }).fill("llama3.2");
  await dialog.getByRole("checkbox", { name: "atlas" }).check();
  await dialog.getByText("Limits", { exact: true }).click();
  await dialog.getByRole("spinbutton", { name: "Requests per day" }).fill("100");
}

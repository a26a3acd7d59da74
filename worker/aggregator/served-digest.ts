/**
 * The digest of the agent that this edge serves, to compare the agents of boxes with it.
 *
 * A deploy restarts this object and closes all tunnels, so the file is read again when the first agent
 * with a digest comes back. It is stored because agents stay connected while this object is evicted.
 */
import { AgentDigest, type AgentFile } from "../../protocol/update.ts";

const KEY = "served_agent_sha256";

export class ServedDigest {
  readonly #kv: SyncKvStorage;
  #sha256: string | null;
  #isRead = false;

  constructor(kv: SyncKvStorage) {
    this.#kv = kv;
    this.#sha256 = AgentDigest.nullable()
      .catch(null)
      .parse(kv.get(KEY) ?? null);
  }

  /** Null until an agent with a digest has come. */
  get sha256(): string | null {
    return this.#sha256;
  }

  /** Reads the served agent, once in the life of this object. Without it, agents compare by version only. */
  async refresh(served: () => Promise<AgentFile>): Promise<void> {
    if (this.#isRead) return;
    this.#isRead = true;
    try {
      const { sha256 } = await served();
      if (sha256 === this.#sha256) return;
      this.#kv.put(KEY, sha256);
      this.#sha256 = sha256;
    } catch (error) {
      this.#isRead = false;
      console.warn(JSON.stringify({ event: "served_agent_unread", why: String(error) }));
    }
  }
}

/** What to copy: into Prometheus, into a client, onto a box. */
import { Command, Section } from "../../parts/basics.tsx";
import { InstallAgent } from "../../parts/install.tsx";

export function Connect() {
  const edge = location.origin;
  return (
    <Section title="Connect">
      <div class="card">
        <h3>Prometheus</h3>
        <p class="quiet">
          Scrape this. On Cloudflare it needs a key with the scope read, as a bearer.
        </p>
        <Command name="the metrics URL" text={`${edge}/api/metrics`} />
        <h3>A box</h3>
        <InstallAgent />
        <h3>A client</h3>
        <p class="quiet">Ollama's API, and OpenAI's.</p>
        <Command name="the address for Ollama clients" text={`${edge}/ollama`} />
        <Command name="the address for OpenAI clients" text={`${edge}/v1`} />
      </div>
    </Section>
  );
}

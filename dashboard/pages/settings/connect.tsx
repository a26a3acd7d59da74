/** Addresses and commands to copy: for Prometheus, a new box and clients. */
import { Command, Section } from "../../parts/basics.tsx";
import { InstallAgent } from "../../parts/install.tsx";

export function Connect() {
  const edge = location.origin;
  return (
    <Section title="Connect">
      <div class="card">
        <h3>Prometheus</h3>
        <p class="quiet">
          Scrape this URL. On Cloudflare, send a key with the read scope as a bearer token.
        </p>
        <Command name="the metrics URL" text={`${edge}/api/metrics`} />
        <h3>New box</h3>
        <InstallAgent />
        <h3>Clients</h3>
        <p class="quiet">Base URLs for Ollama and OpenAI clients.</p>
        <Command name="the Ollama base URL" text={`${edge}/ollama`} />
        <Command name="the OpenAI base URL" text={`${edge}/v1`} />
      </div>
    </Section>
  );
}

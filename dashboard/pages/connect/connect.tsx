/** The Connect page: the key of this browser, its usage, and the lines that set up a client. */
import { useEffect, useState } from "preact/hooks";
import { OPEN_EDGE_TEXT } from "../../../protocol/open-edge.ts";
import { nowMs } from "../../data/clock.ts";
import { useQuery } from "../../data/query.ts";
import { hasScope, isOpenEdge, self } from "../../data/self.ts";
import { typedKey } from "../../data/session.ts";
import { Command, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { ClientSetups } from "../../parts/client-setups.tsx";
import { OwnKeySection, OwnUsageSection } from "./own-key.tsx";

/** The live data does not come for a key of calls alone, so its usage has a clock of its own. */
const USAGE_MS = 10_000;

export function ConnectPage() {
  const { data, error, refetch } = useQuery("/api/keys/self", {}, null);
  const beat = Math.floor(nowMs.value / USAGE_MS);
  useEffect(refetch, [beat]);
  const own = data ?? self.value;
  return (
    <>
      {error !== null && (
        <FailureNote title="Could not load your key." detail={error} retry={refetch} />
      )}
      {own === null && error === null && <Skeleton lines={4} />}
      {isOpenEdge() && <p class="quiet">{OPEN_EDGE_TEXT}</p>}
      {own?.person != null && (
        <p class="quiet">
          You are signed in as <strong>{own.person.name}</strong>, {own.person.role}. A client needs
          a key: ask an owner of this edge for yours.
        </p>
      )}
      {own?.person != null && own.usage !== null && (
        <OwnUsageSection usage={own.usage} models={own.models} />
      )}
      {own !== null && own.key !== null && <OwnKeySection own={own.key} models={own.models} />}
      {own !== null && hasScope("infer") && (
        <SetUp isOpen={isOpenEdge()} models={own.models} allowed={own.key?.models ?? null} />
      )}
      {own !== null && hasScope("metrics") && (
        <Section title="Prometheus">
          <div class="card">
            <p class="quiet">
              Scrape this URL.
              {!isOpenEdge() && " Send a key with the metrics right as a bearer token."}
            </p>
            <Command name="the metrics URL" text={`${location.origin}/api/metrics`} />
          </div>
        </Section>
      )}
    </>
  );
}

/** Stands in the lines until the key is pasted. */
const NO_KEY = "<your key>";

type SetUpProps = { isOpen: boolean; models: string[]; allowed: string[] | null };

function SetUp({ isOpen, models, allowed }: SetUpProps) {
  const [pasted, setPasted] = useState("");
  const known = typedKey.value;
  const apiKey = isOpen ? null : (known ?? (pasted.trim() || NO_KEY));
  return (
    <Section title="Clients">
      <div class="card">
        {!isOpen && known === null && (
          <label class="field">
            <span>Your key</span>
            <input
              type="password"
              autocomplete="off"
              placeholder="Paste it to fill in the lines. It stays in this tab."
              value={pasted}
              onInput={(event) => setPasted(event.currentTarget.value)}
            />
          </label>
        )}
        <ClientSetups apiKey={apiKey} models={models} allowed={allowed} />
      </div>
    </Section>
  );
}

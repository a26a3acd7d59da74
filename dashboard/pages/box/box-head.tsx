/** The name of a box, its versions, and what can be done with it as a whole. */
import { useState } from "preact/hooks";
import type { LiveBox } from "../../../protocol/api/live.ts";
import { linkTo } from "../../data/scope.ts";
import { hasScope } from "../../data/self.ts";
import { Ago, Pill, Simulated } from "../../parts/basics.tsx";
import { ForgetBox } from "../../parts/forget-box.tsx";
import { RevokeBox } from "../../parts/revoke-box.tsx";
import { UNKNOWN } from "../../shape/format.ts";
import { STATE_TONES } from "../overview/fleet.tsx";

export function BoxHead({ box }: { box: LiveBox }) {
  const { name, state, simulated, agent_current, ollama_reachable, ollama_error } = box;
  return (
    <header class="detail-head">
      <div>
        <h2>
          {name} <Pill tone={STATE_TONES[state]}>{state}</Pill>
          {simulated && <Simulated />}
          {!agent_current && state === "up" && <Pill tone="warn">agent not the edge's</Pill>}
        </h2>
        <p class="quiet">
          {versionsOf(box).join(" · ")}
          {state === "down" && (
            <>
              {" · last seen "}
              <Ago iso={box.last_seen} />
            </>
          )}
        </p>
        {ollama_reachable === false && (
          <p class="error-text">Ollama does not answer{ollama_error && `: ${ollama_error}`}</p>
        )}
      </div>
      <Actions box={box} />
    </header>
  );
}

function versionsOf({ gpus, ollama_version, agent_version }: LiveBox): string[] {
  const [first] = gpus;
  const cards = gpus.length > 1 ? `${gpus.length} × ${first?.name}` : first?.name;
  return [
    ...(cards === undefined ? [] : [cards]),
    ...(first === undefined ? [] : [`driver ${first.driver_version ?? UNKNOWN}`]),
    `Ollama ${ollama_version ?? UNKNOWN}`,
    `agent ${agent_version}`,
  ];
}

function Actions({ box }: { box: LiveBox }) {
  const { name, state, admission } = box;
  const [asked, setAsked] = useState<"revoke" | "forget" | null>(null);
  const close = () => setAsked(null);
  const isAdmin = hasScope("admin");
  return (
    <div class="actions">
      <a class="button" href={linkTo("requests", { box: name })}>
        Requests
      </a>
      {state === "up" && hasScope("infer") && (
        <a class="button" href={linkTo("chat", { box: name })}>
          Chat
        </a>
      )}
      {isAdmin && admission === "certificate" && (
        <button type="button" class="danger" onClick={() => setAsked("revoke")}>
          Revoke…
        </button>
      )}
      {isAdmin && (state === "down" || admission === "certificate") && (
        <button type="button" class="danger" onClick={() => setAsked("forget")}>
          Forget…
        </button>
      )}
      {asked === "revoke" && <RevokeBox box={name} onClose={close} />}
      {asked === "forget" && <ForgetBox box={box} onClose={close} />}
    </div>
  );
}

/** Adds a box: makes a join code, shows the line to run, and waits until the box is up. */
import { useEffect, useState } from "preact/hooks";
import type { JoinCodeEntry, MadeJoinCode } from "../../../protocol/api/joining.ts";
import { callJson, errorMessage, read } from "../../data/api.ts";
import { isVisible, nowMs } from "../../data/clock.ts";
import { live, refreshNow } from "../../data/live.ts";
import { isOpenEdge } from "../../data/self.ts";
import { Command, Section } from "../../parts/basics.tsx";
import { ErrorText, useSending } from "../../parts/dialog.tsx";
import { countdown } from "../../shape/joining.ts";
import { NewBox } from "./new-box.tsx";

/** How often the page reads whether the code was used. */
const POLL_MS = 2_000;

/** Its end by the clock of this browser, which may be off. */
type Made = MadeJoinCode & { lifetimeMs: number; endsMs: number };

export function AddBox({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [made, setMade] = useState<Made | null>(null);
  const { isBusy, error, send } = useSending();
  const isOpen = isOpenEdge();
  const make = () =>
    send(async () => {
      const body = { name: name.trim() === "" ? null : name.trim() };
      const code = await callJson("POST", "/api/boxes/join", { body });
      const lifetimeMs = Date.parse(code.expires_at) - Date.parse(code.made_at);
      setMade({ ...code, lifetimeMs, endsMs: Date.now() + lifetimeMs });
    });
  return (
    <Section
      title="Add a box"
      aside={
        <button type="button" class="small" onClick={onClose}>
          Close
        </button>
      }
    >
      <div class="card add-box">
        {isOpen ? (
          <OpenEdge />
        ) : made === null ? (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!isBusy) void make();
            }}
          >
            <label class="field">
              <span>Name of the box</span>
              <input
                autocomplete="off"
                spellcheck={false}
                placeholder="Its host name"
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            </label>
            <p class="quiet">
              With a name, only a box of that name can join, and it replaces one that has the name.
            </p>
            <ErrorText error={error} />
            <button type="submit" class="primary" disabled={isBusy}>
              {isBusy ? "Working…" : "Make a join code"}
            </button>
          </form>
        ) : (
          <Joining key={made.id} made={made} restart={() => setMade(null)} />
        )}
      </div>
    </Section>
  );
}

const OpenEdge = () => (
  <>
    <p>
      This edge is open, so it serves only this machine, and a box needs no code. Run this line
      here.
    </p>
    <Command
      text={`curl -fsSLo install.sh ${location.origin}/agent/install.sh && sudo EDGE_URL=${location.origin} BOX_NAME=home sh install.sh`}
      name="the line that connects a box"
    />
  </>
);

type JoiningProps = { made: Made; restart: () => void };

function Joining({ made, restart }: JoiningProps) {
  const { code, failure } = useCode(made);
  const { isBusy, error, send } = useSending();
  // The page's clock ticks once a second.
  const leftMs = Math.min(made.lifetimeMs, made.endsMs - nowMs.value);
  if (code.box !== null) return <NewBox name={code.box} restart={restart} />;
  if (code.state !== "waiting" || leftMs <= 0)
    return (
      <>
        <p role="status">
          {code.state === "cancelled" ? "The code was cancelled." : "The code has expired."}
        </p>
        <button type="button" class="primary" onClick={restart}>
          Make another code
        </button>
      </>
    );
  const cancel = () =>
    send(async () => {
      await callJson("DELETE", "/api/boxes/join/{id}", { params: { id: made.id } });
      restart();
    });
  return (
    <>
      <p>Run this line on the machine with the GPU. It installs the agent and joins this edge.</p>
      <Command text={made.command} name="the line that joins a box" />
      <p class="awaiting">
        <i class="beat" />
        <span role="status">Waiting for the box</span>
        <span class="quiet">
          The code works once, for <b class="countdown">{countdown(leftMs)}</b> more
        </span>
      </p>
      <ErrorText error={error ?? failure} />
      <button type="button" class="small" disabled={isBusy} onClick={cancel}>
        Cancel the code
      </button>
    </>
  );
}

/** Reads the state of a code until it is no longer waiting. */
function useCode(made: MadeJoinCode): { code: JoinCodeEntry; failure: string | null } {
  const [code, setCode] = useState<JoinCodeEntry>(made);
  const [failure, setFailure] = useState<string | null>(null);
  const isWaiting = code.state === "waiting" && isVisible.value;
  useEffect(() => {
    if (!isWaiting) return;
    let isReading = false;
    const poll = async () => {
      if (isReading) return;
      isReading = true;
      try {
        const { codes } = await read("/api/boxes/join");
        const now = codes.find(({ id }) => id === made.id);
        if (now !== undefined) setCode(now);
        if (now?.state === "used" && live.peek() !== null) refreshNow();
        setFailure(null);
      } catch (error) {
        setFailure(errorMessage(error));
      }
      isReading = false;
    };
    const timer = setInterval(poll, POLL_MS);
    return () => clearInterval(timer);
  }, [isWaiting, made.id]);
  return { code, failure };
}

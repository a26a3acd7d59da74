/** Stops a request in flight, after a question: its caller gets an error. */
import { useState } from "preact/hooks";
import type { InFlight } from "../../../protocol/api/live.ts";
import { callJson } from "../../data/api.ts";
import { refreshNow } from "../../data/live.ts";
import { hasScope, self } from "../../data/self.ts";
import { Confirm } from "../../parts/dialog.tsx";

/** Returns whether this browser may stop it: its caller has the same key, or the key may change all. */
const mayStop = ({ key_id }: InFlight): boolean =>
  hasScope("admin") || (key_id !== null && self.value?.key?.id === key_id);

export function StopButton({ request }: { request: InFlight }) {
  // The line below the pointer may be that of another request by the time of the answer.
  const [asked, setAsked] = useState<InFlight | null>(null);
  const about = asked ?? request;
  const subject = `${about.model ?? about.endpoint} on ${about.box}`;
  return (
    <>
      {mayStop(request) && (
        <button
          type="button"
          class="small danger"
          aria-label={`Stop request ${request.request_id}`}
          onClick={() => setAsked(request)}
        >
          Stop
        </button>
      )}
      {asked !== null && (
        <Confirm
          title={`Stop ${subject}?`}
          text="Its caller gets an error, and the record names you. Ollama stops at once."
          action="Stop it"
          isDangerous
          onConfirm={async () => {
            await callJson("DELETE", "/api/requests/{id}", { params: { id: asked.request_id } });
            refreshNow();
          }}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}

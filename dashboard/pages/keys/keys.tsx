/** The Keys page: who may use this edge for what, and how much they did. */
import { useState } from "preact/hooks";
import type { Key, MadeKey } from "../../../protocol/api/keys.ts";
import { OPEN_EDGE_TEXT } from "../../../protocol/open-edge.ts";
import { callJson } from "../../data/api.ts";
import { useQuery } from "../../data/query.ts";
import { isOpenEdge } from "../../data/self.ts";
import { Empty, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { isOver, sortedKeys } from "../../shape/key-text.ts";
import { KeyDialog } from "./key-dialog.tsx";
import { KeysTable } from "./keys-table.tsx";
import { MadeKeyDialog } from "./made-key.tsx";
import { RotateDialog } from "./rotate-dialog.tsx";

const REFRESH_MS = 10_000;

type Asked =
  | { act: "make" | "rotate" | "edit" | "end"; key: Key | null }
  /** The key is on the page until the dialog is closed, and nowhere afterwards. */
  | { act: "show"; made: MadeKey };

export function KeysPage() {
  const { data, error, refetch } = useQuery("/api/keys", { query: { left: "true" } }, REFRESH_MS);
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked((now) => (now?.act === "show" ? now : null));
  const show = (made: MadeKey) => {
    setAsked({ act: "show", made });
    refetch();
  };
  const make = (
    <button type="button" class="primary" onClick={() => setAsked({ act: "make", key: null })}>
      Make a key
    </button>
  );
  const made = data?.keys.filter(({ source }) => source === "edge") ?? [];
  const configured = data?.keys.filter(({ source }) => source === "setting") ?? [];
  return (
    <>
      {isOpenEdge() && <p class="warn-text">{OPEN_EDGE_TEXT}</p>}
      <Section title="Keys of people and programs" aside={data !== null && !isOpenEdge() && make}>
        {error !== null && (
          <FailureNote title="Could not load the keys." detail={error} retry={refetch} />
        )}
        {data === null && error === null && <Skeleton lines={4} />}
        {data !== null && made.length === 0 && (
          <Empty title="No keys yet">
            <p>
              Make one for each person or program. Each has its own rights, limits and usage, and
              you can revoke it while its calls run.
            </p>
          </Empty>
        )}
        {made.length > 0 && (
          <KeysTable
            label="Table of people and programs"
            keys={sortedKeys(made)}
            edit={(key) => setAsked({ act: "edit", key })}
            rotate={(key) => setAsked({ act: "rotate", key })}
            end={(key) => setAsked({ act: "end", key })}
          />
        )}
      </Section>
      {configured.length > 0 && (
        <Section title="Keys in the settings of the edge">
          <KeysTable label="Table of keys in the settings" keys={configured} />
          <p class="footnote">They change with a deployment.</p>
        </Section>
      )}
      {asked?.act === "make" && <KeyDialog editing={null} onMade={show} onClose={close} />}
      {asked?.act === "edit" && asked.key !== null && (
        <KeyDialog editing={asked.key} onChanged={refetch} onMade={show} onClose={close} />
      )}
      {asked?.act === "rotate" && asked.key !== null && (
        <RotateDialog replaced={asked.key} onMade={show} onClose={close} />
      )}
      {asked?.act === "end" && asked.key !== null && (
        <EndDialog ended={asked.key} onEnded={refetch} onClose={close} />
      )}
      {asked?.act === "show" && <MadeKeyDialog made={asked.made} onClose={() => setAsked(null)} />}
    </>
  );
}

type EndProps = { ended: Key; onEnded: () => void; onClose: () => void };

/** A DELETE revokes a key that works, and takes one that is over out of the list. */
function EndDialog({ ended, onEnded, onClose }: EndProps) {
  const { id, name } = ended;
  const isDeleted = isOver(ended);
  return (
    <Confirm
      title={isDeleted ? `Delete ${name}` : `Revoke ${name}`}
      text={
        isDeleted
          ? "Takes the key out of this list. Its requests and their figures stay."
          : "Its new calls are refused and its open calls end within a second. A revoked key never works again."
      }
      action={isDeleted ? "Delete key" : "Revoke key"}
      isDangerous
      onConfirm={async () => {
        await callJson("DELETE", "/api/keys/{id}", { params: { id } });
        onEnded();
      }}
      onClose={onClose}
    />
  );
}

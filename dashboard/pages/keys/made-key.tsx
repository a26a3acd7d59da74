/** The only view of a new key: the edge does not keep it. */

import { useEffect, useState } from "preact/hooks";
import type { MadeKey } from "../../../protocol/api/keys.ts";
import { read } from "../../data/api.ts";
import { Command } from "../../parts/basics.tsx";
import { ClientSetups } from "../../parts/client-setups.tsx";
import { Modal } from "../../parts/dialog.tsx";

type Props = { made: MadeKey; onClose: () => void };

export function MadeKeyDialog({ made, onClose }: Props) {
  const models = useOwnModels(made);
  const canCall = made.scopes.includes("infer");
  return (
    <Modal title={`The key of ${made.name}`} onClose={onClose} isWide>
      {(close) => (
        <div class="made-key">
          <p>
            <strong>Copy it now.</strong> It is shown only this once: the edge does not keep it.
          </p>
          <Command text={made.key} name="the key" />
          {made.warnings.map((warning) => (
            <p key={warning} class="warn-text">
              {warning}
            </p>
          ))}
          {canCall && models !== "loading" && (
            <ClientSetups apiKey={made.key} models={models} allowed={made.models} />
          )}
          <div class="dialog-actions">
            <button type="button" class="primary" onClick={close}>
              Done
            </button>
          </div>
        </div>
      )}
    </Modal>
  );
}

/** Returns the models that the key may call, for the lines of its clients; null if they cannot be read. */
function useOwnModels({ key, scopes }: MadeKey): string[] | "loading" | null {
  const [models, setModels] = useState<string[] | "loading" | null>("loading");
  useEffect(() => {
    if (!scopes.includes("infer")) return;
    const headers = { authorization: `Bearer ${key}` };
    read("/api/keys/self", { headers }).then(
      (own) => setModels(own.models),
      () => setModels(null), // the lines then name the model of an example
    );
  }, [key]);
  return models;
}

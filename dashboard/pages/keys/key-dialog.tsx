/** The dialog that makes or changes a key. */
import { useRef, useState } from "preact/hooks";
import type { Key, MadeKey } from "../../../protocol/api/keys.ts";
import { callJson } from "../../data/api.ts";
import { ErrorText, FormActions, Modal, useSending } from "../../parts/dialog.tsx";
import { formOfKey, type KeyForm, keyBody, keyChange, NEW_KEY } from "../../shape/key-form.ts";
import { KeyFields } from "./key-fields.tsx";
import { LimitFields } from "./limit-fields.tsx";

type Props = {
  /** Null to make a new one. */
  editing: Key | null;
  onMade: (made: MadeKey) => void;
  onChanged?: () => void;
  onClose: () => void;
};

export function KeyDialog({ editing, onMade, onChanged, onClose }: Props) {
  const before = editing === null ? NEW_KEY : formOfKey(editing);
  const [form, setForm] = useState<KeyForm>(before);
  const { isBusy, error, send } = useSending();
  const set = (changes: Partial<KeyForm>) => setForm((now) => ({ ...now, ...changes }));

  const made = useRef<MadeKey | null>(null);

  const save = async () => {
    if (editing === null) {
      made.current = await callJson("POST", "/api/keys", { body: keyBody(form) });
      return;
    }
    const body = keyChange(before, form);
    if (body !== null)
      await callJson("PATCH", "/api/keys/{id}", { params: { id: editing.id }, body });
    onChanged?.();
  };

  return (
    <Modal
      title={editing === null ? "Make a key" : `Edit ${editing.name}`}
      onClose={onClose}
      isWide
    >
      {(close) => (
        <form
          class="key-form"
          onSubmit={async (event) => {
            event.preventDefault();
            if (isBusy || !(await send(save))) return;
            close();
            if (made.current !== null) onMade(made.current);
          }}
        >
          <KeyFields form={form} set={set} />
          <LimitFields form={form} set={set} isOpen={editing?.limits != null} />
          <ErrorText error={error} />
          <FormActions
            close={close}
            action={editing === null ? "Make key" : "Save"}
            isBusy={isBusy}
          />
        </form>
      )}
    </Modal>
  );
}

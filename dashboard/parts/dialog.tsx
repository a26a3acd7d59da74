/**
 * Confirmations: one that requires typing a phrase, and a simple one. They use the browser's own dialog,
 * which traps the focus and closes on Escape.
 */
import { useEffect, useRef, useState } from "preact/hooks";

type Props = {
  title: string;
  /** Describes the full effect of the action. */
  text: string;
  /** The phrase to type. */
  phrase: string;
  /** The label of the confirm button. */
  action: string;
  onConfirm: () => Promise<void>;
  onClose: () => void;
};

export function TypedConfirm({ title, text, phrase, action, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [state, setState] = useState<{ isBusy: boolean; error: string | null }>({
    isBusy: false,
    error: null,
  });
  useEffect(() => dialog.current?.showModal(), []);

  const confirm = async (event: Event) => {
    event.preventDefault();
    if (typed !== phrase || state.isBusy) return;
    setState({ isBusy: true, error: null });
    try {
      await onConfirm();
      // Closing the dialog, rather than just removing it, returns the focus to where it was.
      dialog.current?.close();
    } catch (error) {
      setState({ isBusy: false, error: error instanceof Error ? error.message : String(error) });
    }
  };

  return (
    <dialog
      ref={dialog}
      onClose={onClose}
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
    >
      <form onSubmit={confirm}>
        <h2 id="confirm-title">{title}</h2>
        <p id="confirm-text">{text}</p>
        <label for="confirm-typed">
          Type <code>{phrase}</code> to confirm
        </label>
        <input
          id="confirm-typed"
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        {state.error !== null && (
          <p role="alert" class="error-text">
            {state.error}
          </p>
        )}
        <div class="dialog-actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={typed !== phrase || state.isBusy}>
            {state.isBusy ? "Working…" : action}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A confirmation of an action that others feel, and that can be undone. */
export function Confirm({
  title,
  text,
  action,
  onConfirm,
  onClose,
}: Omit<Props, "phrase" | "onConfirm"> & { onConfirm: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const confirm = (event: Event) => {
    event.preventDefault();
    dialog.current?.close();
    onConfirm();
  };
  return (
    <dialog
      ref={dialog}
      onClose={onClose}
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
    >
      <form onSubmit={confirm}>
        <h2 id="confirm-title">{title}</h2>
        <p id="confirm-text">{text}</p>
        <div class="dialog-actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="primary">
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A question that must be answered first. The browser's own dialog: it keeps the focus, and Escape closes it. */
import { useEffect, useRef, useState } from "preact/hooks";

type Props = {
  title: string;
  /** What will happen, in full. */
  text: string;
  /** What has to be typed before it happens. */
  typed: string;
  /** What the button says. */
  act: string;
  onConfirm: () => Promise<void>;
  onClose: () => void;
};

export function TypedConfirm({ title, text, typed, act, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [said, setSaid] = useState("");
  const [state, setState] = useState<{ isBusy: boolean; error: string | null }>({
    isBusy: false,
    error: null,
  });
  useEffect(() => dialog.current?.showModal(), []);

  const confirm = async (event: Event) => {
    event.preventDefault();
    if (said !== typed || state.isBusy) return;
    setState({ isBusy: true, error: null });
    try {
      await onConfirm();
      // Closed, and not just gone: the focus goes back to where it was.
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
          Type <code>{typed}</code> to confirm
        </label>
        <input
          id="confirm-typed"
          autocomplete="off"
          spellcheck={false}
          value={said}
          onInput={(event) => setSaid(event.currentTarget.value)}
        />
        {state.error !== null && (
          <p role="alert" class="error-text">
            {state.error}
          </p>
        )}
        <div class="dialog-acts">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={said !== typed || state.isBusy}>
            {state.isBusy ? "Working …" : act}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** Dialogs. They use the browser's own, which traps the focus and closes on Escape. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { errorMessage } from "../data/api.ts";

type ModalProps = {
  title: string;
  /** Read aloud with the title. */
  text?: string | undefined;
  onClose: () => void;
  isWide?: boolean;
  /** Receives how to close it: closing, rather than just removing it, returns the focus to where it was. */
  children: (close: () => void) => ComponentChildren;
};

export function Modal({ title, text, onClose, isWide = false, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class={isWide ? "wide" : undefined}
      onClose={onClose}
      aria-labelledby="dialog-title"
      aria-describedby={text === undefined ? undefined : "dialog-text"}
    >
      <h2 id="dialog-title">{title}</h2>
      {text !== undefined && <p id="dialog-text">{text}</p>}
      {children(() => dialog.current?.close())}
    </dialog>
  );
}

/** The state of something that is being sent: whether it still is, and why it failed. */
export function useSending() {
  const [state, setState] = useState<{ isBusy: boolean; error: string | null }>({
    isBusy: false,
    error: null,
  });
  const send = async (work: () => unknown): Promise<boolean> => {
    setState({ isBusy: true, error: null });
    try {
      await work();
      setState({ isBusy: false, error: null });
      return true;
    } catch (error) {
      setState({ isBusy: false, error: errorMessage(error) });
      return false;
    }
  };
  return { ...state, send };
}

type FormActionsProps = {
  close: () => void;
  /** The label of the submit button. */
  action: string;
  isBusy?: boolean;
  /** Its label while it is being sent. */
  busyText?: string;
  isReady?: boolean;
  isDangerous?: boolean;
};

/** The end of the form of a dialog. */
export const FormActions = ({
  close,
  action,
  isBusy = false,
  busyText = "Working…",
  isReady = true,
  isDangerous = false,
}: FormActionsProps) => (
  <div class="dialog-actions">
    <button type="button" onClick={close}>
      Cancel
    </button>
    <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={isBusy || !isReady}>
      {isBusy ? busyText : action}
    </button>
  </div>
);

/** The reason why something failed, in the words of the edge. It may be far below the field that was sent with Enter. */
export function ErrorText({ error }: { error: string | null }) {
  const text = useRef<HTMLParagraphElement>(null);
  useEffect(() => text.current?.scrollIntoView({ block: "nearest" }), [error]);
  return error === null ? null : (
    <p ref={text} role="alert" class="error-text">
      {error}
    </p>
  );
}

type ConfirmProps = {
  title: string;
  /** Describes the full effect of the action. */
  text: string;
  /** The label of the confirm button. */
  action: string;
  /** A phrase to type, for what cannot be undone and takes much with it. */
  phrase?: string;
  isDangerous?: boolean;
  onConfirm: () => unknown;
  /** Runs when the dialog is closed after the action, e.g. to open another one. */
  onConfirmed?: () => void;
  onClose: () => void;
  /** Further fields. */
  children?: ComponentChildren;
};

/** A confirmation. It stays open with the error if the action fails. */
export function Confirm({
  title,
  text,
  action,
  phrase,
  isDangerous = phrase !== undefined,
  onConfirm,
  onConfirmed,
  onClose,
  children,
}: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const { isBusy, error, send } = useSending();
  const isReady = !isBusy && (phrase === undefined || typed === phrase);
  return (
    <Modal title={title} text={text} onClose={onClose}>
      {(close) => (
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            if (!isReady || !(await send(onConfirm))) return;
            close();
            onConfirmed?.();
          }}
        >
          {children}
          {phrase !== undefined && (
            <>
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
            </>
          )}
          <ErrorText error={error} />
          <FormActions
            close={close}
            action={action}
            isBusy={isBusy}
            isReady={isReady}
            isDangerous={isDangerous}
          />
        </form>
      )}
    </Modal>
  );
}

/** A button that opens a small window below it; on a phone, from the bottom edge. */
import type { ComponentChildren } from "preact";
import { useId, useRef, useState } from "preact/hooks";

type Props = {
  /** Read aloud as the name of the window. */
  title: string;
  button: ComponentChildren;
  /** Read aloud as the name of the button, if its content is not enough. */
  label?: string;
  class?: string;
  /** Receives how to close it. Rendered only while it is open. */
  children: (close: () => void) => ComponentChildren;
};

export function Menu({ title, button, label, class: name = "", children }: Props) {
  const id = useId();
  const popup = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        class={`opens-menu ${name}`}
        popovertarget={id}
        aria-expanded={isOpen}
        aria-haspopup="dialog"
        aria-label={label}
        title={label}
      >
        {button}
      </button>
      <div
        ref={popup}
        id={id}
        class="menu"
        popover="auto"
        role="dialog"
        aria-label={title}
        onToggle={({ newState }) => setOpen(newState === "open")}
      >
        {isOpen && children(() => popup.current?.hidePopover())}
      </div>
    </>
  );
}

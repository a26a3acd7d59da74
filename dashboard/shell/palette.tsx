/** The command palette and the list of keys. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { live, refreshNow } from "../data/live.ts";
import { useQuery } from "../data/query.ts";
import { savedViews } from "../data/saved-views.ts";
import { changeScope, linkTo, scope, switchComparison, togglePause } from "../data/scope.ts";
import { hasScope, isOpenEdge } from "../data/self.ts";
import { shareView } from "../data/share.ts";
import { Modal } from "../parts/dialog.tsx";
import { CALENDAR_TIMES } from "../shape/calendar.ts";
import { untagged } from "../shape/models.ts";
import { commandsFor, type PaletteEntry, requestCommand } from "../shape/palette.ts";
import { typedSize } from "../shape/room-verdict.ts";
import { isLive } from "../shape/scope.ts";
import { SHORTCUTS } from "../shape/shortcuts.ts";
import { typedTime } from "../shape/typed-time.ts";
import { openOverlay, overlay, overlayClosed } from "./overlays.ts";
import { ENTRIES, listedPages } from "./pages.tsx";
import { switchTheme } from "./theme.tsx";

type OverlayProps = { onClose: () => void };

export default function Overlay() {
  const opened = overlay.value;
  if (opened === null) return null;
  const Dialog = opened.name === "help" ? Help : Palette;
  return <Dialog key={opened} onClose={() => overlayClosed(opened)} />;
}

const Help = ({ onClose }: OverlayProps) => (
  <Modal title="Keys" onClose={onClose}>
    {(end) => (
      <>
        <table class="shortcuts">
          <tbody>
            {SHORTCUTS.map(({ keys, text }) => (
              <tr key={keys}>
                <th scope="row">
                  <kbd>{keys}</kbd>
                </th>
                <td>{text}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <div class="dialog-actions">
          <button type="button" onClick={end}>
            Close
          </button>
        </div>
      </>
    )}
  </Modal>
);

function Palette({ onClose }: OverlayProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const typed = useSignal("");
  const chosen = useSignal(0);
  useEffect(() => dialog.current?.showModal(), []);
  const text = typed.value;
  const commands = [
    ...requestCommand(text, (id) => linkTo("requests", {}, { open: id })),
    ...timeCommand(text),
    ...roomCommand(text),
    ...commandsFor(text, [...pages(), ...views(), ...actions(), ...places(), ...useKeys()]),
  ];
  const index = Math.min(chosen.value, commands.length - 1);
  const run = (command: PaletteEntry | undefined) => {
    if (command === undefined) return;
    dialog.current?.close();
    if ("href" in command) location.hash = command.href;
    else command.action();
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined || commands.length === 0) return;
    event.preventDefault();
    chosen.value = (index + step + commands.length) % commands.length;
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="Find or do" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run(commands[index]);
        }}
      >
        <input
          type="text"
          role="combobox"
          aria-label="Find a page, box, model, key, request or action"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={index < 0 ? undefined : `palette-${index}`}
          placeholder="Find a page, box, model, key, request id, time or action"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onKeyDown={onKey}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
            chosen.value = 0;
          }}
        />
        <div id="palette-list" role="listbox" aria-label="Commands">
          {commands.map((command, position) => (
            <div
              key={`${command.kind} ${command.name}`}
              id={`palette-${position}`}
              role="option"
              tabIndex={-1}
              aria-selected={position === index}
              onPointerMove={() => {
                chosen.value = position;
              }}
              onClick={() => run(command)}
              onKeyDown={(event) => event.key === "Enter" && run(command)}
            >
              <span>{command.name}</span>
              <span class="quiet">
                {command.shortcut !== undefined && <kbd>{command.shortcut}</kbd>} {command.kind}
              </span>
            </div>
          ))}
        </div>
        {commands.length === 0 && <p class="quiet line">Nothing fits.</p>}
      </form>
    </dialog>
  );
}

const pages = (): PaletteEntry[] =>
  listedPages().map((page, index) => ({
    kind: "Page",
    name: ENTRIES[page].name,
    href: linkTo(page),
    ...(index < 9 && { shortcut: String(index + 1) }),
  }));

const views = (): PaletteEntry[] =>
  savedViews.value.map(({ name, hash }) => ({ kind: "View", name, href: hash }));

function actions(): PaletteEntry[] {
  const follows = isLive(scope.value);
  return [
    {
      kind: "Action",
      name: follows ? "Pause" : "Follow the present",
      words: "stop live resume",
      shortcut: "p",
      action: togglePause,
    },
    {
      kind: "Action",
      name: "Compare with another period",
      words: "previous week before versus",
      shortcut: "c",
      action: switchComparison,
    },
    {
      kind: "Action",
      name: "Copy the link to this view",
      words: "share url",
      shortcut: "y",
      action: () => void shareView(),
    },
    { kind: "Action", name: "Refresh now", words: "reload", shortcut: "r", action: refreshNow },
    {
      kind: "Action",
      name: "Switch the theme",
      words: "dark light mode",
      shortcut: "t",
      action: switchTheme,
    },
    {
      kind: "Action",
      name: "Failed requests",
      words: "errors",
      href: linkTo("requests", {}, { status: "error" }),
    },
    {
      kind: "Action",
      name: "Energy and cost by key, this week",
      words: "usage who most",
      href: linkTo("usage", CALENDAR_TIMES["This week"](Date.now()), { by: "key" }),
    },
    {
      kind: "Action",
      name: "Energy and cost by model, last month",
      words: "usage idle",
      href: linkTo("usage", CALENDAR_TIMES["Last month"](Date.now())),
    },
    {
      kind: "Action",
      name: "Show all boxes, models and keys",
      words: "reset clear filter scope",
      action: () => changeScope({ box: null, model: null, key: null }),
    },
    {
      kind: "Action",
      name: "Is there room for a model?",
      words: "fit size gb vram memory free",
      href: linkTo("models", {}, { fit: "20 GB" }),
    },
    {
      kind: "Action",
      name: "List the keys of the keyboard",
      words: "help shortcuts",
      shortcut: "?",
      action: () => openOverlay("help"),
    },
    {
      kind: "Action",
      name: "API documentation",
      words: "openapi docs",
      action: () => location.assign("/api/docs"),
    },
  ];
}

/** Boxes and models have a page each. */
function places(): PaletteEntry[] {
  const { boxes = [], stats } = live.value?.value ?? {};
  const models = new Set([
    ...(stats?.models_in_use ?? []),
    ...boxes.flatMap(({ loaded }) => loaded.map(({ name }) => untagged(name))),
  ]);
  return [
    ...boxes.map(
      ({ name }): PaletteEntry => ({ kind: "Box", name, href: linkTo("box", { box: name }) }),
    ),
    ...Array.from(
      models,
      (name): PaletteEntry => ({ kind: "Model", name, href: linkTo("model", { model: name }) }),
    ),
  ];
}

/** Only those who may list keys find them. */
function useKeys(): PaletteEntry[] {
  const isAllowed = hasScope("admin") && !isOpenEdge();
  const { data } = useQuery("/api/keys", {}, null, isAllowed);
  return (data?.keys ?? []).map(({ id, name }) => ({
    kind: "Key",
    name,
    words: id,
    href: linkTo("requests", { key: id }),
  }));
}

/** For a typed size, such as "20 GB": the boxes that have room for a model of it. */
const roomCommand = (text: string): PaletteEntry[] =>
  /[a-z]/i.test(text) && typedSize(text) !== null
    ? [
        {
          kind: "Action",
          name: `Is there room for a model of ${text.trim()}?`,
          href: linkTo("models", {}, { fit: text.trim() }),
        },
      ]
    : [];

function timeCommand(text: string): PaletteEntry[] {
  const time = typedTime(text, Date.now());
  return time === null
    ? []
    : [{ kind: "Time", name: `Show ${text.trim()}`, action: () => changeScope(time) }];
}

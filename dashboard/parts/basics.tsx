/** The small parts that every page is made of. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { nowMs } from "../data/clock.ts";
import { age, moment, momentInFull, ofHundred, UNKNOWN } from "../shape/format.ts";
import { CheckIcon, CopyIcon } from "./icons.tsx";

export type Tone = "good" | "warn" | "bad" | "quiet" | "accent";

export const Pill = ({ tone, children }: { tone: Tone; children: ComponentChildren }) => (
  <span class={`pill ${tone}`}>{children}</span>
);

/** On everything that was made up. */
export const Simulated = () => <span class="pill simulated">simulated</span>;

/** A heading, what belongs to it on its right, and what it is about. */
export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section aria-label={title}>
      <div class="section-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** A share of a whole as a bar, with the figure beside it. */
export function MeterBar({
  name,
  percent,
  text,
  tone = "accent",
}: {
  name: string;
  percent: number | null;
  text?: string;
  tone?: Tone;
}) {
  const said = text ?? ofHundred(percent);
  return (
    <div class="meter">
      <span class="meter-name">{name}</span>
      <span class="meter-text">{said}</span>
      {percent === null ? (
        <span class="track unknown" />
      ) : (
        // biome-ignore lint/a11y/useSemanticElements: a <meter> cannot be drawn alike in all browsers
        <span
          class="track"
          role="meter"
          aria-label={name}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(percent)}
          aria-valuetext={said}
        >
          <span
            class={`fill ${tone}`}
            style={{ width: `${Math.min(100, Math.max(0, percent))}%` }}
          />
        </span>
      )}
    </div>
  );
}

/** When something was, in the viewer's zone; in full when pointed at. */
export const Moment = ({ iso }: { iso: string | null }) =>
  iso === null ? (
    UNKNOWN
  ) : (
    <time dateTime={iso} title={momentInFull(iso)}>
      {moment(iso, nowMs.value)}
    </time>
  );

/** How long ago something was. */
export const Ago = ({ iso }: { iso: string | null }) =>
  iso === null ? (
    UNKNOWN
  ) : (
    <time dateTime={iso} title={momentInFull(iso)}>
      {age(Math.max(0, nowMs.value - Date.parse(iso)))}
    </time>
  );

/** There is nothing to show, and why that is, and what to do about it. */
export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children}
  </div>
);

/** Something could not be read. What was read before stays on the page. */
export const FailureNote = ({
  what,
  why,
  again,
}: {
  what: string;
  why: string;
  again?: () => void;
}) => (
  <div class="failure" role="alert">
    <p>
      <strong>{what}</strong> {why}
    </p>
    {again && (
      <button type="button" onClick={again}>
        Try again
      </button>
    )}
  </div>
);

/** What will be there, while it is on its way. */
export const Skeleton = ({ lines = 3, tall = false }: { lines?: number; tall?: boolean }) => (
  <div class={tall ? "skeleton tall" : "skeleton"} role="status" aria-label="Loading">
    {Array.from({ length: lines }, (_, line) => (
      <span key={line} />
    ))}
  </div>
);

/** A table that scrolls by itself, so that the page does not. */
export const TableScroll = ({
  label,
  children,
}: {
  label: string;
  children: ComponentChildren;
}) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
  <section class="scroll" aria-label={label} tabIndex={0}>
    {children}
  </section>
);

export function CopyButton({ text, name }: { text: string; name: string }) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("failed"); // not over TLS, or not allowed
    }
    setTimeout(() => setState("idle"), 2_000);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      {state === "copied" ? <CheckIcon /> : <CopyIcon />}
      <span aria-live="polite">
        {state === "copied" ? "Copied" : state === "failed" ? "Not allowed" : "Copy"}
      </span>
      <span class="sr-only">{name}</span>
    </button>
  );
}

/** A line to be copied into a terminal or a file. */
export const Command = ({ text, name }: { text: string; name: string }) => (
  <div class="command">
    <pre>{text}</pre>
    <CopyButton text={text} name={name} />
  </div>
);

/** Some of a few, as buttons side by side. */
export function Choice<T extends string | number>({
  label,
  options,
  chosen,
  choose,
}: {
  label: string;
  options: readonly { value: T; name: string }[];
  chosen: T;
  choose: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend class="sr-only">{label}</legend>
      {options.map(({ value, name }) => (
        <button
          type="button"
          key={value}
          aria-pressed={value === chosen}
          onClick={() => choose(value)}
        >
          {name}
        </button>
      ))}
    </fieldset>
  );
}

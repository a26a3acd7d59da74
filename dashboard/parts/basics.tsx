/** The small components that every page is built from. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { minuteMs, nowMs } from "../data/clock.ts";
import { age, moment, momentInFull, ofHundred, UNKNOWN } from "../shape/format.ts";
import { CheckIcon, CopyIcon } from "./icons.tsx";

export type Tone = "good" | "warn" | "bad" | "quiet" | "accent";

export const Pill = ({ tone, children }: { tone: Tone; children: ComponentChildren }) => (
  <span class={`pill ${tone}`}>{children}</span>
);

/** Marks simulated data. */
export const Simulated = () => <span class="pill simulated">simulated</span>;

/** A titled section, with optional content to the right of its heading. */
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

/** A percentage as a bar, with its figure beside it. */
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
  const label = text ?? ofHundred(percent);
  return (
    <div class="meter">
      <span class="meter-name">{name}</span>
      <span class="meter-text">{label}</span>
      {percent === null ? (
        <span class="track unknown" />
      ) : (
        // biome-ignore lint/a11y/useSemanticElements: browsers style <meter> too differently
        <span
          class="track"
          role="meter"
          aria-label={name}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(percent)}
          aria-valuetext={label}
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

/** A time in the viewer's zone, with the full date in its tooltip. */
export const Moment = ({ iso }: { iso: string | null }) =>
  iso === null ? (
    UNKNOWN
  ) : (
    <time dateTime={iso} title={momentInFull(iso)}>
      {moment(iso, minuteMs.value)}
    </time>
  );

/** The age of a time, with the full date in its tooltip. */
export const Ago = ({ iso }: { iso: string | null }) =>
  iso === null ? (
    UNKNOWN
  ) : (
    <time dateTime={iso} title={momentInFull(iso)}>
      {age(Math.max(0, nowMs.value - Date.parse(iso)))}
    </time>
  );

/** An empty state: explains why it is empty and suggests what to do. */
export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children}
  </div>
);

/** A failed load or action. Data loaded earlier stays on the page. */
export const FailureNote = ({
  title,
  detail,
  retry,
}: {
  title: string;
  detail: string;
  retry?: () => void;
}) => (
  <div class="failure" role="alert">
    <p>
      <strong>{title}</strong> {detail}
    </p>
    {retry && (
      <button type="button" onClick={retry}>
        Try again
      </button>
    )}
  </div>
);

/** A placeholder for content that is still loading. */
export const Skeleton = ({ lines = 3, tall = false }: { lines?: number; tall?: boolean }) => (
  <div class={tall ? "skeleton tall" : "skeleton"} role="status" aria-label="Loading">
    {Array.from({ length: lines }, (_, line) => (
      <span key={line} />
    ))}
  </div>
);

/** A table that scrolls horizontally, so that the page does not have to. */
export const TableScroll = ({
  label,
  children,
}: {
  label: string;
  children: ComponentChildren;
}) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable area must be reachable by keyboard
  <section class="scroll" aria-label={label} tabIndex={0}>
    {children}
  </section>
);

/** @property name  what it copies, for people who cannot see beside which text it is */
type CopyProps = { text: string; name?: string; label?: string };

export function CopyButton({ text, name, label = "Copy" }: CopyProps) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("failed"); // the page is not served over TLS, or the permission is denied
    }
    setTimeout(() => setState("idle"), 2_000);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      {state === "copied" ? <CheckIcon /> : <CopyIcon />}
      <span aria-live="polite">
        {state === "copied" ? "Copied" : state === "failed" ? "Copy failed" : label}
      </span>
      {name !== undefined && <span class="sr-only">{name}</span>}
    </button>
  );
}

/** Text to copy into a terminal or a file. */
export const Command = ({ text, name }: { text: string; name: string }) => (
  <div class="command">
    <pre>{text}</pre>
    <CopyButton text={text} name={name} />
  </div>
);

/** One of a few options, shown as buttons side by side. */
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

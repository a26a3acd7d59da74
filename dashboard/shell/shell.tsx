/** The frame around every page: header, navigation, banners and the sign-in form. */
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { live } from "../data/live.ts";
import { place } from "../data/place.ts";
import { locked } from "../data/session.ts";
import { Overview } from "../pages/overview/overview.tsx";
import {
  ChatIcon,
  ModelsIcon,
  OverviewIcon,
  RequestsIcon,
  SettingsIcon,
  SystemIcon,
} from "../parts/icons.tsx";
import { lazy } from "../parts/lazy.tsx";
import { hashOf, PAGES, type Page } from "../shape/route.ts";
import { Banners, isStale } from "./banners.tsx";
import { Boundary } from "./boundary.tsx";
import { Freshness } from "./freshness.tsx";
import { Login } from "./login.tsx";
import { ThemeSwitch } from "./theme.tsx";

type Entry = {
  name: string;
  /** A shorter name for narrow screens. */
  brief?: string;
  Icon: ComponentType;
  Page: ComponentType;
};

const ENTRIES: Record<Page, Entry> = {
  overview: { name: "Overview", Icon: OverviewIcon, Page: Overview },
  requests: {
    name: "Requests",
    Icon: RequestsIcon,
    Page: lazy(async () => (await import("../pages/requests/requests.tsx")).Requests),
  },
  models: {
    name: "Models",
    Icon: ModelsIcon,
    Page: lazy(async () => (await import("../pages/models/models.tsx")).ModelsPage),
  },
  system: {
    name: "GPU & system",
    brief: "GPU",
    Icon: SystemIcon,
    Page: lazy(async () => (await import("../pages/system/system.tsx")).SystemPage),
  },
  chat: {
    name: "Chat",
    Icon: ChatIcon,
    Page: lazy(async () => (await import("../pages/chat/chat.tsx")).ChatPage),
  },
  settings: {
    name: "Settings",
    Icon: SettingsIcon,
    Page: lazy(async () => (await import("../pages/settings/settings.tsx")).SettingsPage),
  },
};

export function Shell() {
  const { page } = place.value;
  const { name, Page } = ENTRIES[page];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const isSimulated = live.value?.value.health.simulated ?? false;

  useEffect(() => {
    document.title = `${isSimulated ? "[simulated] " : ""}${name} · ollama-edge-serve`;
  }, [name, isSimulated]);

  // Moves the focus and the scroll position to the top of a new page, so that screen readers
  // announce it.
  useEffect(() => {
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    isFirst.current = false;
  }, [page]);

  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <a class="brand" href="#/">
          <i class="mark" /> ollama-edge-serve
        </a>
        <div class="bar-end">
          <Freshness />
          <ThemeSwitch />
        </div>
      </header>
      <nav class="nav" aria-label="Pages">
        <ul>
          {PAGES.map((each) => {
            const { name: label, brief = label, Icon } = ENTRIES[each];
            return (
              <li key={each}>
                <a href={hashOf(each)} aria-current={each === page ? "page" : undefined}>
                  <Icon />
                  <span class="full">{label}</span>
                  <span class="brief">{brief}</span>
                </a>
              </li>
            );
          })}
        </ul>
        <p class="nav-foot">
          <a href="/api/docs">API</a>{" "}
          {live.value !== null && <span>v{live.value.value.health.version}</span>}
        </p>
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <Banners />
        {locked.value === null ? (
          <div class={isStale() ? "page stale" : "page"}>
            <h1 class="sr-only">{name}</h1>
            <Boundary key={page}>
              <Page />
            </Boundary>
          </div>
        ) : (
          <Login />
        )}
      </main>
    </div>
  );
}

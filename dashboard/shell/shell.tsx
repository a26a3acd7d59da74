/** The frame around every page: navigation, the bar above, banners and the sign-in form. */
import { useEffect, useRef } from "preact/hooks";
import { connection, live } from "../data/live.ts";
import { place } from "../data/place.ts";
import { scope } from "../data/scope.ts";
import { isNarrow } from "../data/screen.ts";
import { locked } from "../data/session.ts";
import type { Page as PageId } from "../shape/route.ts";
import { iconOf, titleOf, troubleOf } from "../shape/trouble.ts";
import { Banners, isStale } from "./banners.tsx";
import { Boundary } from "./boundary.tsx";
import { Nav } from "./nav.tsx";
import { listenToKeys, overlay } from "./overlays.ts";
import { ENTRIES, LoginPage, OverlayPage, openPages } from "./pages.tsx";
import { ScopeBar } from "./scope-bar.tsx";
import { TopBar } from "./top-bar.tsx";

export function Shell() {
  const pages = openPages();
  // Others meet the set-up of their client first.
  const first = pages.includes("overview") ? "overview" : "connect";
  const page = pages.includes(place.value.page) ? place.value.page : first;
  const { Page } = ENTRIES[page];
  const name = nameOf(page);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useTab(name);
  useEffect(listenToKeys, []);

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
      <Nav page={page} />
      <TopBar page={page} />
      <main id="main" ref={main} tabIndex={-1}>
        {isNarrow.value && locked.value === null && <ScopeBar key={page} page={page} />}
        <Banners />
        {locked.value === null ? (
          <div class={isStale() ? "page stale" : "page"}>
            <h1 class="sr-only">{name}</h1>
            <Boundary key={page}>
              <Page />
            </Boundary>
          </div>
        ) : (
          <LoginPage />
        )}
      </main>
      {overlay.value !== null && <OverlayPage />}
    </div>
  );
}

/** The page of a box or a model has its name. */
function nameOf(page: PageId): string {
  const { box, model } = scope.value;
  const own = { box, model }[page as "box" | "model"];
  return own ?? ENTRIES[page].name;
}

/** Shows in the tab of the browser what the page is and whether something is wrong. */
function useTab(name: string): void {
  const { health } = live.value?.value ?? {};
  const trouble = troubleOf(health?.concerns ?? [], connection.value.kind === "failing");
  const title = titleOf(name, trouble, health?.simulated ?? false);
  const icon = iconOf(trouble);
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (link === null) return;
    link.dataset.usual ??= link.href;
    link.href = icon ?? link.dataset.usual;
  }, [icon]);
}

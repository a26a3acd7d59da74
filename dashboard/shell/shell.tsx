/** The frame around every page: header, navigation, banners and the sign-in form. */
import { useEffect, useRef } from "preact/hooks";
import { live } from "../data/live.ts";
import { place } from "../data/place.ts";
import { hasScope } from "../data/self.ts";
import { locked } from "../data/session.ts";
import { Banners, isStale } from "./banners.tsx";
import { Boundary } from "./boundary.tsx";
import { Freshness } from "./freshness.tsx";
import { Login } from "./login.tsx";
import { Nav } from "./nav.tsx";
import { ENTRIES, openPages } from "./pages.tsx";
import { ThemeSwitch } from "./theme.tsx";

export function Shell() {
  const pages = openPages();
  const [first = "connect"] = pages;
  const page = pages.includes(place.value.page) ? place.value.page : first;
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
          {hasScope("stats") && <Freshness />}
          <ThemeSwitch />
        </div>
      </header>
      <Nav page={page} />
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

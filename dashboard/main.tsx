/** The entry point of the page: mounts it and starts the live data. */
import { render } from "preact";
import { startLive } from "./data/live.ts";
import { Boundary } from "./shell/boundary.tsx";
import { Shell } from "./shell/shell.tsx";

const page = document.getElementById("page");
if (page === null) throw new Error('index.html must contain an element with the id "page".');
page.replaceChildren();
render(
  <Boundary>
    <Shell />
  </Boundary>,
  page,
);
startLive();

/** The page's entry. */
import { render } from "preact";
import { startLive } from "./data/live.ts";
import { Shell } from "./shell/shell.tsx";

const page = document.getElementById("page");
if (page === null) throw new Error("the page lacks #page");
render(<Shell />, page);
startLive();

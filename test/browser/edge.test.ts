/** Cases that need an edge of their own: keys, forgetting a box, an edge that dies and returns. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const ADMIN = "an-admin-key-for-tests";
const READ = "a-read-key-for-tests";
const SETTINGS = {
  AUTH_MODE: "keys",
  ADMIN_KEY: ADMIN,
  READ_KEY: READ,
  BOX_SECRETS: "atlas=a-secret-for-the-box",
};

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  [stack, ollama] = await Promise.all([
    TestStack.start(SETTINGS),
    startSimulatedOllama({ models: ["llama3.2"] }),
  ]);
});

afterAll(() => Promise.all([stack[Symbol.asyncDispose](), ollama.close()]));

const open = (hash: string, options = {}) => Viewer.open(hash, options, stack.url);

async function signIn({ page }: Viewer, key: string): Promise<void> {
  await page.getByLabel("API key", { exact: true }).fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("requires an API key, rejects a wrong one, and limits a read key to viewing", async () => {
  await using viewer = await open("#/settings");
  const { page } = viewer;
  await signIn(viewer, "wrong-wrong-wrong-wrong");
  await page.getByRole("alert").filter({ hasText: "This API key is not valid." }).waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await signIn(viewer, READ);
  await page.getByText("Clearing data needs a key with the admin scope.").waitFor();
  expect(await page.getByRole("button", { name: "Clear everything…" }).isDisabled()).toBe(true);
  expect(viewer.requests.some((request) => request.includes("key-for-tests"))).toBe(false);

  // The key is out of reach of script, and so is the cookie that stands for it.
  const visible = await page.evaluate(
    "JSON.stringify([document.cookie, { ...sessionStorage }, { ...localStorage }])",
  );
  expect(JSON.parse(String(visible)).slice(0, 2)).toEqual(["", {}]);
  expect(visible).not.toContain("key-for-tests");
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/", expires: -1 });
  expect(cookie?.value).not.toContain("key-for-tests");

  await page.goto(`${stack.url}/#/`);
  await page.getByText("No boxes have connected yet").waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);

  // A second tab shares the session. Signing out ends it for both.
  const other = await page.context().newPage();
  await other.goto(`${stack.url}/#/settings`);
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await page.context().cookies()).toEqual([]);
  await page.goto(`${stack.url}/#/models`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("forgets a box that is down once its name is typed, and refuses to forget a connected one", async () => {
  const boxStates = async () => {
    const { boxes } = (await stack.json("/api/boxes", {
      headers: { authorization: `Bearer ${READ}` },
    })) as {
      boxes: { name: string; state: string }[];
    };
    return boxes.map(({ name, state }) => `${name} ${state}`).join();
  };
  const is = (states: string) => eventually(async () => (await boxStates()) === states);
  const startAgent = async () => {
    const agent = stack.spawnAgent({
      name: "atlas",
      ollamaUrl: ollama.url,
      env: { BOX_SECRET: "a-secret-for-the-box" },
    });
    await is("atlas up");
    return agent;
  };
  const first = await startAgent();
  await first.stop(5_000);
  await is("atlas down");

  // Without a refresh, the page does not notice that the box is up again.
  await using viewer = await open("#/system", { refreshSeconds: 0 });
  const { page } = viewer;
  await signIn(viewer, ADMIN);
  await page.getByRole("button", { name: "Forget atlas" }).click();
  const dialog = page.getByRole("dialog", { name: "Forget atlas" });
  const confirm = dialog.getByRole("button", { name: "Forget atlas" });
  await dialog.getByRole("textbox").fill("atla");
  expect(await confirm.isDisabled()).toBe(true);
  await dialog.getByRole("textbox").fill("atlas");

  const again = await startAgent();
  await confirm.click();
  await dialog
    .getByRole("alert")
    .filter({ hasText: "Box atlas is still connected. Stop its agent first." })
    .waitFor();
  expect(await boxStates()).toBe("atlas up");

  await again.stop(5_000);
  await is("atlas down");
  await confirm.click();
  await page.getByText("No boxes have connected yet").waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect(await boxStates()).toBe("");
  // The browser logs each refused request as an error.
  expect(viewer.errors.filter((error) => !/409|401/.test(error))).toEqual([]);
});

test("greys out the data of a dead edge, reconnects by itself, and requires sign-in if the keys changed", async () => {
  await using viewer = await open("#/", { refreshSeconds: 1 });
  const { page } = viewer;
  await signIn(viewer, READ);
  await page.getByText(/^Live/).waitFor();
  await stack.killEdge();
  await page.getByRole("alert").filter({ hasText: "Offline" }).waitFor();
  expect(await page.getByText("Total requests").isVisible()).toBe(true);
  expect(await page.locator(".page.stale").count()).toBe(1);

  await stack.startEdge({ ...SETTINGS, READ_KEY: "another-key-for-reading" });
  await page.getByRole("alert").filter({ hasText: "Your session has ended." }).waitFor();
  await signIn(viewer, "another-key-for-reading");
  await page.getByText(/^Live/).waitFor();
  expect(await page.locator(".page.stale, .banner.bad").count()).toBe(0);
});

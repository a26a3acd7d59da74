/** The services of macOS and Windows: no such machine runs these tests, so they check the files alone. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DRAIN_MS, LAST_RECORDS_MS } from "../../../../agent/clock/drain.ts";
import { AgentVariables } from "../../../../agent/config.ts";

const read = (name: string) => readFileSync(`agent/install/ollama-edge-agent.${name}`, "utf8");

/** Returns the elements of an XML document with their text. @throws {Error} unless they are balanced */
function elementsOf(xml: string): { name: string; text: string }[] {
  const body = xml.replace(/<\?[\s\S]*?\?>|<!--[\s\S]*?-->|<!DOCTYPE[^>]*>/g, "");
  const open: { name: string; text: string }[] = [];
  const found: { name: string; text: string }[] = [];
  for (const [, tag = "", text = ""] of body.matchAll(/<([^<>]+)>([^<>]*)/g)) {
    const name = /^\/?[\w:]+/.exec(tag)?.[0] ?? "";
    if (name.startsWith("/")) {
      if (open.pop()?.name !== name.slice(1)) throw new Error(`${name} closes another element`);
      continue;
    }
    const element = { name, text: text.trim() };
    found.push(element);
    if (!tag.endsWith("/")) open.push(element);
  }
  if (open.length > 0) throw new Error(`${open[0]?.name} is not closed`);
  return found;
}

test("the launchd job is a property list that restarts the agent and sets what it knows", () => {
  const elements = elementsOf(read("plist"));
  expect(elements.slice(0, 2).map(({ name }) => name)).toEqual(["plist", "dict"]);
  const settingOf = (key: string) => {
    const at = elements.findIndex(({ name, text }) => name === "key" && text === key);
    return elements[at + 1];
  };
  expect(settingOf("KeepAlive")?.name).toBe("true");
  expect(settingOf("RunAtLoad")?.name).toBe("true");
  expect(settingOf("Umask")?.text).toBe(String(0o077));
  expect(Number(settingOf("ExitTimeOut")?.text) * 1_000).toBeGreaterThan(
    DRAIN_MS + LAST_RECORDS_MS,
  );
  const variables = elements.filter(({ name, text }) => name === "key" && /^[A-Z_]+$/.test(text));
  expect(variables.map(({ text }) => text)).toEqual(["PATH", "STATE_DIR"]);
  expect(Object.keys(AgentVariables.shape)).toContain("STATE_DIR");
});

test("the Windows task is well-formed, restarts the agent, and has no limit of time", () => {
  const elements = elementsOf(read("task.xml"));
  const textOf = (wanted: string) => elements.find(({ name }) => name === wanted)?.text;
  expect(elements[0]?.name).toBe("Task");
  expect(textOf("ExecutionTimeLimit")).toBe("PT0S");
  expect(textOf("Interval")).toBe("PT1M");
  expect(textOf("UserId")).toBe("S-1-5-19"); // LOCAL SERVICE
  expect(textOf("Arguments")).toBe("agent.mjs");
});

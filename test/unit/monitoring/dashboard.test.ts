import { expect, test } from "vitest";
import { dashboardJson } from "../../../monitoring/dashboard.ts";
import {
  dashboardQueries,
  dashboardText,
  grafanaDashboard,
} from "../../support/monitoring-files.ts";

test("the committed dashboard is what the code generates (otherwise: npm run generate)", () => {
  expect(dashboardText()).toBe(dashboardJson());
});

test("the dashboard has the documented panels", () => {
  const titles = grafanaDashboard().panels.map(({ title }) => title);
  expect(titles).toEqual(
    expect.arrayContaining(["Requests per Minute", "Token Rate", "Latency (ms)"]),
  );
});

test("panels do not overlap, stay within the grid, and have unique ids", () => {
  const { panels } = grafanaDashboard();
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from(
      { length: w * h },
      (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`,
    );
  });
  expect(new Set(cells).size).toBe(cells.length);
});

test.each(grafanaDashboard().panels.filter(({ type }) => type !== "row"))(
  "the panel $title has a unit and a description",
  (panel) => {
    expect(panel.description).toMatch(/^[A-Z].*\.$/);
    if (panel.type !== "state-timeline") expect(panel.fieldConfig?.defaults.unit).toMatch(/./);
    expect(panel.targets.length).toBeGreaterThan(0);
  },
);

test("every query uses the Prometheus that is selected at the top of the dashboard", () => {
  const { panels } = grafanaDashboard();
  for (const { datasource } of panels.flatMap(({ targets }) => targets))
    expect(datasource).toEqual({ type: "prometheus", uid: "$datasource" });
});

test("legends are short, and unique within a panel", () => {
  const names = dashboardQueries().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { legend } of dashboardQueries())
    expect(legend.replaceAll(/\{\{\w+\}\}/g, "x").length).toBeLessThan(20);
});

/** Parts of calls that the tests of several client libraries share. */

export const user = (content: string) => [{ role: "user" as const, content }];
export const parameters = {
  type: "object",
  properties: {
    city: { type: "string" },
    days: { type: "integer" },
    unit: { type: "string", enum: ["celsius", "kelvin"] },
  },
  required: ["city"],
};
export const weather = {
  type: "function" as const,
  function: { name: "get_weather", description: "Weather now", parameters },
};
export const args = { city: "Paris", days: 7, unit: "celsius" };
export const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** The definition of an external store: its settings, and how it is opened. */
import * as z from "zod";
import type { StoreName } from "../../protocol/stores.ts";
import type { ExternalStore } from "./external-store.ts";

/** One in each store's folder; `external-stores.ts` lists them. */
export interface StoreDefinition<Variables = Record<string, unknown>, Settings = unknown> {
  readonly name: StoreName;
  /** The store's variables in the environment, each with its own check. */
  readonly variables: z.ZodRawShape;
  /** The variable without which the store cannot be reached. */
  readonly addressVariable: string;
  /** Returns the settings; null if the store has no address. */
  settingsOf(variables: Variables): Settings | null;
  open(settings: Settings): ExternalStore;
}

/**
 * Checks a URL for its protocol. The messages follow the name of the variable and never repeat its
 * value.
 */
export const urlWith = (protocols: RegExp, example: string) =>
  z
    .string()
    .refine((text) => URL.canParse(text), "is not a URL")
    .refine(
      (text) => !URL.canParse(text) || protocols.test(new URL(text).protocol),
      `is not of the form ${example}`,
    );

export const httpUrl = urlWith(/^https?:$/, "https://host:port");

/** A request that a receiver of messages got, for both of its sides. */

export type Received = { headers: Record<string, string>; body: string };

declare module "vitest" {
  interface ProvidedContext {
    receiver: string;
  }
}

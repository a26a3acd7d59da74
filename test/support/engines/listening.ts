/** The start and end of a front: it prints its address once it listens, and stops on SIGTERM. */
import type { Server } from "node:http";

export async function listening(
  server: Server,
  close: () => Promise<void> = async () => {},
): Promise<void> {
  // A request that goes into a connection as it is closed fails.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen(0, "127.0.0.1", resolve),
  );
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  console.log(`ready http://127.0.0.1:${address.port}`);
  process.once("SIGTERM", () => {
    void close().finally(() => process.exit(0));
  });
}

/** The content of every table of both engines, as text. */
import type { Engines } from "./engines.ts";

export async function dumpOf({ clickhouseUrl, neonUrl, settings }: Engines): Promise<string> {
  const { CLICKHOUSE_USER = "", CLICKHOUSE_PASSWORD = "", DATABASE_URL = "" } = settings;
  const clickhouse = async (query: string) => {
    const answer = await fetch(`${clickhouseUrl}/?query=${encodeURIComponent(query)}`, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${CLICKHOUSE_USER}:${CLICKHOUSE_PASSWORD}`)}`,
      },
    });
    return answer.text();
  };
  const postgres = async (query: string) => {
    const answer = await fetch(`${neonUrl}/sql`, {
      method: "POST",
      headers: { "neon-connection-string": DATABASE_URL },
      body: JSON.stringify({ query, params: [] }),
    });
    const { rows } = (await answer.json()) as { rows: string[][] };
    return rows;
  };
  const dumps: string[] = [];
  const tables = await clickhouse(
    "SELECT name FROM system.tables WHERE database = 'ollama_metrics' FORMAT TSV",
  );
  for (const table of tables.split("\n").filter((name) => name !== ""))
    dumps.push(await clickhouse(`SELECT * FROM ollama_metrics.${table} FORMAT JSONEachRow`));
  const public_ = await postgres(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
  );
  for (const [table] of public_)
    dumps.push(JSON.stringify(await postgres(`SELECT * FROM ${table}`)));
  return dumps.join("\n");
}

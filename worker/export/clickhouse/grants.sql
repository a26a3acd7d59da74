-- The rights that the Worker and `npm run check:stores` need in ClickHouse. Run as an administrator, with a password of your own.
CREATE USER edge IDENTIFIED BY '…';
GRANT SELECT, INSERT, TRUNCATE, ALTER DELETE ON ollama_metrics.* TO edge;

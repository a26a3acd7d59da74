-- What the Worker and `npm run check:stores` do in ClickHouse, and no more. Run as an administrator, with a password of yours.
CREATE USER edge IDENTIFIED BY '…';
GRANT SELECT, INSERT, TRUNCATE, ALTER DELETE ON ollama_metrics.* TO edge;

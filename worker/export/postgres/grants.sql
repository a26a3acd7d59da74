-- The rights that the Worker and `npm run check:stores` need in Postgres. Run as the owner, after `npm run migrate`, with a password of your own.
CREATE ROLE edge LOGIN PASSWORD '…';
GRANT SELECT, INSERT, DELETE, TRUNCATE ON request_logs, gpu_samples, system_samples, energy_hours TO edge;
-- Entries of the audit log are deleted when they are old, and never changed.
GRANT SELECT, INSERT, DELETE ON audit_log TO edge;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON request_minutes TO edge;
GRANT SELECT, INSERT, UPDATE, DELETE ON model_repository TO edge;
GRANT SELECT, INSERT, UPDATE ON model_downloads TO edge;

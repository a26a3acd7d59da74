#!/bin/sh
# Installs the ollama-edge-serve agent on a box with systemd. Run as root:
#
#   curl -fsSL https://<your worker>/agent/install.sh -o install.sh
#   EDGE_URL=https://<your worker> BOX_NAME=<name> BOX_SECRET=<secret> sh install.sh
#
# It writes three files and starts one service:
#   /usr/local/lib/ollama-edge-agent/agent.mjs, /etc/ollama-edge-agent.env (mode 600),
#   /etc/systemd/system/ollama-edge-agent.service
# Run it again to update the agent. It keeps the settings file unless EDGE_URL is set.
set -eu

fail() { echo "install.sh: $1" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "run this as root: it writes to /usr/local/lib, /etc and systemd"
command -v systemctl >/dev/null || fail "systemd is required; without it, run: EDGE_URL=… BOX_SECRET=… node agent.mjs"
command -v curl >/dev/null || fail "curl is required"
command -v node >/dev/null || fail "Node.js 20 or newer is required, e.g. apt-get install nodejs"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || fail "Node.js 20 or newer is required; this is $(node --version)"

env_file=/etc/ollama-edge-agent.env
if [ -n "${EDGE_URL:-}" ]; then
  [ -n "${BOX_SECRET:-}" ] || fail "BOX_SECRET is not set; set it to the secret of this box in the Worker's BOX_SECRETS"
  (umask 077; printf 'EDGE_URL=%s\nBOX_NAME=%s\nBOX_SECRET=%s\nOLLAMA_HOST=%s\n' \
    "$EDGE_URL" "${BOX_NAME:-$(hostname)}" "$BOX_SECRET" "${OLLAMA_HOST:-http://127.0.0.1:11434}" >"$env_file")
elif [ ! -f "$env_file" ]; then
  fail "EDGE_URL is not set; set it to the URL of your Worker"
fi
edge=$(sed -n 's/^EDGE_URL=//p' "$env_file")

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
curl -fsSL "$edge/agent/agent.mjs" -o "$new/agent.mjs" || fail "cannot download $edge/agent/agent.mjs"
curl -fsSL "$edge/agent/ollama-edge-agent.service" -o "$new/service" || fail "cannot download the systemd unit from $edge"
(set -a; . "$env_file"; STATE_DIR="$new/state" node "$new/agent.mjs" --check) || fail "the check above failed, so nothing was installed"

install -D -m 644 "$new/agent.mjs" /usr/local/lib/ollama-edge-agent/agent.mjs
install -m 644 "$new/service" /etc/systemd/system/ollama-edge-agent.service
systemctl daemon-reload
systemctl enable ollama-edge-agent.service
systemctl restart ollama-edge-agent.service
echo "The agent is running. Its log: journalctl -u ollama-edge-agent -f"

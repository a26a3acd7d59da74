#!/bin/sh
# Installs the ollama-edge-serve agent on a box with systemd. Run as root:
#
#   curl -fsSL https://<your worker>/agent/install.sh -o install.sh
#   sh install.sh https://<your worker> <join code>
#
# Without the code, the script reads it from its input. For a box with a secret in BOX_SECRETS:
#   EDGE_URL=https://<your worker> BOX_NAME=<name> BOX_SECRET=<secret> sh install.sh
#
# A box without Node needs the single executable of the agent (npm run executable) instead, which then runs agent.mjs:
#   AGENT_EXECUTABLE=<its file> sh install.sh https://<your worker> <join code>
#
# It writes four files and starts one service:
#   /usr/local/lib/ollama-edge-agent/agent.mjs, /usr/local/bin/ollama-edge-agent,
#   /etc/ollama-edge-agent.env (mode 600), /etc/systemd/system/ollama-edge-agent.service
# Run it again to update the agent. It keeps the settings file unless EDGE_URL is set.
set -eu

# The build writes the digests of the two files that this script downloads.
agent_sha256=@AGENT_SHA256@
unit_sha256=@UNIT_SHA256@

# A folder that stands for / (for packages and tests).
root=${DESTDIR:-}

fail() { echo "install.sh: $1" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "run this as root: it writes to /usr/local/lib, /etc and systemd"
command -v systemctl >/dev/null || fail "systemd is required; without it, run: EDGE_URL=… BOX_SECRET=… node agent.mjs"
command -v curl >/dev/null || fail "curl is required"
command -v sha256sum >/dev/null || fail "sha256sum is required"
# An executable that was installed before goes on running the agent.
runtime=/usr/local/lib/ollama-edge-agent/ollama-edge-agent
node=node
if [ -n "${AGENT_EXECUTABLE:-}" ]; then
  node=$AGENT_EXECUTABLE
  [ -f "$node" ] && [ -x "$node" ] || fail "AGENT_EXECUTABLE is not an executable file: $node"
  case $node in /*) ;; *) node=$PWD/$node ;; esac
elif [ -x "$root$runtime" ]; then
  node=$root$runtime
else
  hint="or set AGENT_EXECUTABLE to the single executable of the agent (npm run executable)"
  command -v node >/dev/null || fail "Node.js 20 or newer is required, e.g. apt-get install nodejs; $hint"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] ||
    fail "Node.js 20 or newer is required; this is $(node --version); $hint"
fi
case $agent_sha256 in @*) fail "this is the source of the script; run the one that your Worker serves" ;; esac

# Settings are data. systemd and this script must read the same value, so a value has no character
# that either of them could read in another way: no quotes, backslashes, spaces or control characters.
checked() {
  case $2 in
    *[!A-Za-z0-9._~:/?@!\$\&\(\)*+,\;=%\[\]{}^\|\<\>\#-]*)
      fail "$1 has a character that is not allowed: use no quotes, backslashes, spaces or line breaks" ;;
  esac
}

state=$root/var/lib/private/ollama-edge-agent
# Prints a text of the membership, none of which has a quote.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$state/membership.json"; }
was=
if [ -f "$state/membership.json" ]; then
  was="box $(member box) of $(member edge)"
  echo "This machine has joined as $was."
fi

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
env_file=$root/etc/ollama-edge-agent.env
code=
if [ -n "${1:-}" ]; then
  EDGE_URL=$1 code=${2:-}
  if [ -z "$code" ]; then
    printf 'Join code: ' >&2
    IFS= read -r code || true
  fi
  case $code in oej_*) ;; *) fail "the join code is not complete: it begins with oej_; copy it again" ;; esac
  : "${OLLAMA_HOST:=http://127.0.0.1:11434}"
  checked EDGE_URL "$EDGE_URL"; checked BOX_NAME "${BOX_NAME:-}"; checked OLLAMA_HOST "$OLLAMA_HOST"
  (umask 077; printf 'EDGE_URL=%s\nOLLAMA_HOST=%s\n' "$EDGE_URL" "$OLLAMA_HOST" >"$new/env")
  [ -z "${BOX_NAME:-}" ] || printf 'BOX_NAME=%s\n' "$BOX_NAME" >>"$new/env"
elif [ -n "${EDGE_URL:-}" ]; then
  [ -n "${BOX_SECRET:-}" ] || fail "BOX_SECRET is not set; set it to the secret of this box in the Worker's BOX_SECRETS"
  : "${BOX_NAME:=$(hostname)}" "${OLLAMA_HOST:=http://127.0.0.1:11434}"
  checked EDGE_URL "$EDGE_URL"; checked BOX_NAME "$BOX_NAME"
  checked BOX_SECRET "$BOX_SECRET"; checked OLLAMA_HOST "$OLLAMA_HOST"
  (umask 077; printf 'EDGE_URL=%s\nBOX_NAME=%s\nBOX_SECRET=%s\nOLLAMA_HOST=%s\n' \
    "$EDGE_URL" "$BOX_NAME" "$BOX_SECRET" "$OLLAMA_HOST" >"$new/env")
elif [ -f "$env_file" ]; then
  (umask 077; cp "$env_file" "$new/env")
else
  fail "EDGE_URL is not set; set it to the URL of your Worker"
fi

# The check below must see these settings only, whatever the environment of this shell has.
unset @VARIABLES@
line_number=0
while IFS= read -r line || [ -n "$line" ]; do
  line_number=$((line_number + 1))
  case $line in '' | '#'* | ';'*) continue ;; esac
  name=${line%%=*} value=${line#*=}
  case $line in *=*) ;; *) fail "line $line_number of $env_file is not NAME=value" ;; esac
  case $name in
    STATE_DIR) continue ;;
    @ANY_VARIABLE@) ;;
    *) fail "line $line_number of $env_file sets a variable that the agent does not have" ;;
  esac
  # One pair of quotes around the whole value means the same to systemd.
  case $value in
    '"'*'"') value=${value#'"'} value=${value%'"'} ;;
    "'"*"'") value=${value#"'"} value=${value%"'"} ;;
  esac
  checked "$name" "$value"
  export "$name=$value"
done <"$new/env"

edge=${EDGE_URL:-}
edge=${edge%/}
[ -n "$edge" ] || fail "$env_file has no EDGE_URL"
# The downloads run on this machine, so they must come over TLS.
case $edge in
  https://*) protocol='=https' ;;
  http://*)
    host=${edge#http://} host=${host%%/*} protocol='=http'
    case $host in
      localhost | localhost:* | '[::1]' | '[::1]:'*) ;;
      127.*) case $host in *[!0-9.:]*) host= ;; esac ;;
      *) host= ;;
    esac
    [ -n "$host" ] || fail "EDGE_URL must begin with https:// unless the Worker runs on this machine" ;;
  *) fail "EDGE_URL must begin with https://" ;;
esac

# download PATH FILE SHA256
download() {
  curl --proto "$protocol" -fsSL "$edge/agent/$1" -o "$2" || fail "cannot download $edge/agent/$1"
  [ "$(sha256sum <"$2")" = "$3  -" ] || fail "$edge/agent/$1 is not the file that this script belongs to; download install.sh again"
}
download agent.mjs "$new/agent.mjs" "$agent_sha256"
download ollama-edge-agent.service "$new/service" "$unit_sha256"
if [ -n "$code" ]; then
  # Through a pipe, so that the code is in no list of processes.
  printf '%s\n' "$code" | STATE_DIR=$new/state "$node" "$new/agent.mjs" join "$edge" --exit ||
    if [ -n "$was" ]; then
      fail "this machine did not join again, so nothing was changed: it is still $was. To update its agent, run $0 without arguments. To join again, make a new join code on the page Boxes of the edge"
    else
      fail "this machine did not join, so nothing was installed"
    fi
elif [ -f "$state/membership.json" ]; then
  mkdir -m 700 "$new/state"
  cp "$state/membership.json" "$state/box-key.pem" "$new/state"
fi
STATE_DIR=$new/state "$node" "$new/agent.mjs" --check ||
  if [ -n "$code" ]; then
    # The code is used up, so a retry must not need another one.
    echo "install.sh: the check above failed; the agent is installed, and serves once that is mended" >&2
  else
    fail "the check above failed, so nothing was installed"
  fi
if [ -n "$code" ]; then
  # systemd keeps the folder here, and gives it to the user of the service when it starts.
  [ -d "$root/var/lib/private" ] || install -d -m 700 "$root/var/lib/private"
  [ -d "$state" ] || install -d -m 700 "$state"
  for file in box-key.pem membership.json; do
    install -m 600 "$new/state/$file" "$state/$file"
    chown --reference="$state" "$state/$file"
  done
fi

install -D -m 600 "$new/env" "$env_file"
install -D -m 644 "$new/agent.mjs" "$root/usr/local/lib/ollama-edge-agent/agent.mjs"
install -D -m 644 "$new/service" "$root/etc/systemd/system/ollama-edge-agent.service"
own_start=$root/etc/systemd/system/ollama-edge-agent.service.d/executable.conf
program=node
if [ "$node" = node ]; then
  rm -f "$own_start"
else
  program=$runtime
  [ "$node" = "$root$runtime" ] || install -D -m 755 "$node" "$root$runtime"
  printf '[Service]\nExecStart=\nExecStart=%s /usr/local/lib/ollama-edge-agent/agent.mjs\n' "$runtime" >"$new/start"
  install -D -m 644 "$new/start" "$own_start"
fi
printf '#!/bin/sh\nSTATE_DIR=${STATE_DIR:-/var/lib/ollama-edge-agent} exec %s /usr/local/lib/ollama-edge-agent/agent.mjs "$@"\n' \
  "$program" >"$new/command"
install -D -m 755 "$new/command" "$root/usr/local/bin/ollama-edge-agent"
systemctl daemon-reload
systemctl enable ollama-edge-agent.service
systemctl restart ollama-edge-agent.service
echo "The agent is running. See it with: sudo ollama-edge-agent status. Its log: journalctl -u ollama-edge-agent -f"
if [ -n "$was" ] && [ -n "$code" ]; then
  echo "It was $was before. If that is another box, remove it on the page Boxes of its edge."
elif [ -n "$was" ] && [ -n "${BOX_SECRET:-}" ]; then
  echo "It connects with BOX_SECRET now. Remove BOX_SECRET from $env_file to connect as $was again."
elif [ -n "$was" ]; then
  echo "The agent is the one of the edge now. The machine is still $was, with the settings that it had."
  echo "To join again, make a join code on the page Boxes of the edge, and run: sh $0 <address of the edge> <join code>"
fi

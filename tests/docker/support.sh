#!/usr/bin/env bash
# What the tests of start.sh and of the image's scripts share, on top of tests/cli/support.sh: an empty folder, and
# commands that only stand for others.
# shellcheck source=../cli/support.sh
source "${BASH_SOURCE[0]%/*}/../cli/support.sh" /usr/bin
trap 'end_listener; rm -rf "$work"' EXIT

stubs=$work/stubs
mkdir "$stubs"

stub() {  # name, with the script on standard input
  { echo '#!/bin/bash' && cat; } >"$stubs/$1"
  chmod 755 "$stubs/$1"
}

says() {  # file text: the text is in the file
  grep -qF -e "$2" "$1" || fail "'$2' is not in $1: $(head -c 600 "$1")"
}

says_not() {
  ! grep -qF -e "$2" "$1" || fail "'$2' is in $1"
}

# listen PORT: a web server that answers everything with 200, as $listener at $port; with 0 at a free one.
listen() {
  rm -f port
  python3 - "$1" <<'PYTHON' &
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *ignored):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
with open("port.part", "w") as file:
    print(server.server_address[1], file=file)
os.rename("port.part", "port")
server.serve_forever()
PYTHON
  listener=$!
  until [[ -s port ]]; do
    kill -0 "$listener" 2>/dev/null || return 1
    sleep 0.05
  done
  # shellcheck disable=SC2034  # for the tests
  port=$(<port)
}

listener=''
end_listener() {
  [[ -n $listener ]] || return 0
  kill "$listener" 2>/dev/null
  wait "$listener" 2>/dev/null
  listener=''
}

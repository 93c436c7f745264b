#!/usr/bin/env bash
# Tries the extension in code-server, in Chromium without a window. Takes about ten minutes the first time, then two.
#
#   editors/vscode/test.sh [--pictures FOLDER]
#
# Needs npm, Chromium, a C++ compiler, and on Debian: libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev pkg-config.
# PYTHON is an interpreter with torch-gradlint[lsp], CHROMIUM the browser, CODE_SERVER a folder to install code-server into.
set -euo pipefail
cd "$(dirname "$0")"

python=$(command -v "${PYTHON:-python3}")
chromium=$(command -v "${CHROMIUM:-chromium}")
home=${CODE_SERVER:-${XDG_CACHE_HOME:-$HOME/.cache}/gradlint-code-server}

if [ ! -e "$home/ready" ]; then
    mkdir -p "$home"
    (
        cd "$home"
        export FORCE_NODE_VERSION npm_config_nodedir=/usr
        FORCE_NODE_VERSION=$(node --print 'process.versions.node.split(".")[0]')
        [ -e package.json ] || npm init --yes >/dev/null
        npm install node@24 code-server@4.139.1
        # Recent releases of npm run the scripts of packages only once they are approved.
        if npm install-scripts approve code-server argon2 node; then npm rebuild; fi
    )
    "$python" -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet playwright pillow
    touch "$home/ready"
fi

[ -d node_modules ] || npm ci
npm run --silent package
modules=$home/node_modules
"$home/venv/bin/python" in_browser.py --server "$modules/.bin/node" "$modules/code-server/out/node/entry.js" --vsix gradlint.vsix \
    --chromium "$chromium" --python "$python" "$@"

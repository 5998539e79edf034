# Sourced by scripts/demo and scripts/test: makes .venv with EdgeRL and everything that it can use, once.
# Needs git and Python 3.11, 3.12 or 3.13. EDGERL_VENV names another folder, PYTHON another interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${EDGERL_VENV:-.venv}

find_python() {
  for candidate in ${PYTHON:-} python3.12 python3.13 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "EdgeRL needs Python 3.11, 3.12 or 3.13 with venv (on Debian: python3-venv); none was found. Set PYTHON." >&2
  exit 2
}

stamp="$venv/.edgerl-$(cat pyproject.toml constraints.txt | cksum | tr -d ' ')"
if [ ! -e "$stamp" ]; then
  python=$(find_python)
  echo "Installing EdgeRL into $venv with $("$python" --version): some minutes, once." >&2
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
  rm -f "$venv"/.edgerl-*
  touch "$stamp"
fi
PATH="$PWD/$venv/bin:$PATH"

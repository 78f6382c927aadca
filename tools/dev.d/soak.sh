# The soak, and the environment its plot is drawn in.

PLOT_PACKAGES="matplotlib==3.10.6"

dev_soak() {
  dev_build release actad acta-soak
  cd "$ROOT"
  local python=python3
  if prepare_venv venv-plot "$PLOT_PACKAGES"; then
    python=build/venv-plot/bin/python
  fi
  "$python" tools/bench/soak/soak.py "$@"
}

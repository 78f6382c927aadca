# Other brokers beside Acta.

dev_peers() {
  case " $* " in
    *' --help '* | *' -h '*) ;;
    *) dev_build release actad acta-bench acta-bench-limits ;;
  esac
  cd "$ROOT"
  PYTHONPATH=$ROOT/tools/bench PYTHONDONTWRITEBYTECODE=1 exec python3 -m peers "$@"
}

# The long campaigns: what shows rare faults takes minutes to an hour. One name, or all in turn.

CAMPAIGNS="kills images operations faults network"

campaign_help() {
  cat <<'TEXT'
tools/dev campaign [NAME...]   without a name: all of them, in this order

  kills       250 times kill -9 and 250 power cuts under load, judged by the oracle (ACTA_CYCLES);
              60 of both under the workers of queues (ACTA_QUEUE_CYCLES)
  images      5,000 disks that a power cut or kill -9 may leave, and cuts of their recovery; 3,000
              of a store with queues (ACTA_IMAGES, ACTA_STEPS, ACTA_QUEUE_IMAGES); 5,000,000 lives
              of a queue beside its model (ACTA_QUEUE_LIVES); 64 queues that are broken in one place
  operations  every write, sync, opening, change of a name and read fails, with all after it
              and by itself (ACTA_FAULT_STEPS); every file is damaged (ACTA_PLACES)
  faults      named moments of the disk, kills in recovery, stops, stalls, clocks, full disks, slow
              readers, a memory limit, 400 allocations that fail, and the test of the oracle
              (ACTA_LONG=0: their short form)
  network     1,000 faults of the network under load (ACTA_NETWORK_FAULTS), a link that goes down
              100 times (ACTA_LINK_FAULTS), consumers, members out of reach, floods

Variables in parentheses make them shorter. The output of each is in build/campaign/NAME.log too.
TEXT
}

# Says what begins, runs it from the root of the repository, and says how long it took. Everything
# of a campaign is run, also behind a failure.
campaign_step() {
  local began=$SECONDS status=0
  echo "-- $*"
  env ACTA_LONG="${ACTA_LONG:-1}" PYTHONUNBUFFERED=1 "$@" || status=$?
  local outcome=passed
  case $status in
    0) ;;
    77) outcome=skipped ;; # It says what the machine lacks.
    *) outcome="FAILED ($status)" CAMPAIGN_FAILED=1 ;;
  esac
  echo "-- $outcome in $((SECONDS - began)) s: $*"
}

campaign_e2e() {
  local name
  for name in "$@"; do campaign_step python3 "tests/e2e/${name}_test.py"; done
}

campaign_kills() {
  campaign_step env ACTA_ORACLE_CYCLES="${ACTA_CYCLES:-250}" python3 tests/e2e/oracle_test.py
  campaign_step env ACTA_ORACLE_CYCLES="${ACTA_QUEUE_CYCLES:-60}" \
    python3 tests/e2e/queue_oracle_test.py
}

campaign_images() {
  campaign_step build/release/tests/acta_crash_images --images="${ACTA_IMAGES:-5000}" \
    --steps="${ACTA_STEPS:-2000}" --recover-each=3 --cut-recovery=5
  campaign_step build/release/tests/acta_crash_images --queues \
    --images="${ACTA_QUEUE_IMAGES:-3000}" --steps=1000
  campaign_step env ACTA_QUEUE_LIVES="${ACTA_QUEUE_LIVES:-5000000}" \
    build/release/tests/delivery_test "a queue keeps its promises*"
  campaign_step python3 tests/unit/delivery/machine_mutants.py
}

campaign_operations() {
  campaign_step build/release/tests/acta_fault_every --steps="${ACTA_FAULT_STEPS:-120}"
  campaign_step build/release/tests/acta_fault_every --once --steps="${ACTA_FAULT_STEPS:-120}"
  campaign_step build/release/tests/acta_damage_every --places="${ACTA_PLACES:-100}"
}

campaign_faults() {
  campaign_e2e faults clock disk full_disk thin_disk fatal slow_readers memory_limit allocation \
    mutants queue_mutants queue_clock
}

campaign_network() {
  campaign_step env ACTA_NETWORK_FAULTS="${ACTA_NETWORK_FAULTS:-1000}" \
    python3 tests/e2e/network_test.py
  campaign_step env ACTA_NETWORK_FAULTS="${ACTA_LINK_FAULTS:-100}" \
    python3 tests/e2e/namespaces_test.py
  campaign_e2e consumers out_of_reach abuse
}

# One of them, with all it starts. The status says whether everything passed.
campaign_run() (
  cd "$ROOT"
  CAMPAIGN_FAILED=
  "campaign_$1"
  [ -z "$CAMPAIGN_FAILED" ]
)

dev_campaign() {
  case ${1:-} in help | --help | -h)
    campaign_help
    return
    ;;
  esac
  local name
  for name in "$@"; do
    [[ " $CAMPAIGNS " == *" $name "* ]] || fail "no campaign '$name'; there are: $CAMPAIGNS"
  done
  [ $# -gt 0 ] || set -- $CAMPAIGNS
  dev_build release
  prepare_python
  mkdir -p "$ROOT/build/campaign"
  local began outcome summary= failed=
  for name in "$@"; do
    echo "== $name, $(date +%H:%M:%S)"
    began=$SECONDS
    outcome=passed
    campaign_run "$name" 2>&1 | tee "$ROOT/build/campaign/$name.log" || outcome=FAILED
    [ $outcome = passed ] || failed=1
    summary+=$(printf '%-11s %-6s %5d s' "$name" $outcome $((SECONDS - began)))$'\n'
  done
  printf '== summary\n%s' "$summary"
  [ -z "$failed" ]
}

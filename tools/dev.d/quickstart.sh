# From nothing to a broker with real events: each step is a sentence, the command, its output.
# A step that does not give what it must ends the walk with an error: it is a test as well.

QUICKSTART_MARK=.acta-quickstart
QUICKSTART_FREE_KIB=$((5 * 1024 * 1024))
EARTHQUAKES=1707
FLIGHTS=200000

BROKER_PID=

say() {
  printf '\n%s\n' "$*"
}

# Shows the command and at most 12 lines of its output; OUTPUT keeps all of it. Fails with it.
step() {
  printf '$ %s\n' "$*"
  local status=0
  OUTPUT=$(bash -o pipefail -c "$*" 2>&1) || status=$?
  [ -z "$OUTPUT" ] || printf '%s\n' "$OUTPUT" | cut -c1-160 | sed '12q'
  local lines
  lines=$(printf '%s\n' "$OUTPUT" | wc -l)
  [ "$lines" -le 12 ] || echo "... ($((lines - 12)) more lines)"
  [ $status -eq 0 ] || fail "the command failed with $status"
}

# expect WHAT GOT WANTED
expect() {
  [ "$2" = "$3" ] || fail "quickstart: $1: got '$2', expected '$3'"
}

# The value below COLUMN in the first row of a CSV.
csv_value() {
  awk -F, -v column="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
                          NR == 2 && at { print $at }'
}

# What a field of the one-line ready file holds.
ready_value() {
  sed -n "s/.*\"$1\": *\"\\{0,1\\}\\([^\",}]*\\).*/\\1/p" "$READY"
}

start_broker() {
  rm -f "$READY"
  printf '$ %s\n' "actad --data $DIR/broker --grpc 127.0.0.1:0 --http 127.0.0.1:0 \
--ready-file $READY &"
  actad --data "$DIR/broker" --grpc 127.0.0.1:0 --http 127.0.0.1:0 --ready-file "$READY" \
    >>"$DIR/actad.log" 2>&1 &
  BROKER_PID=$!
  local tries=0
  until [ -s "$READY" ]; do
    kill -0 "$BROKER_PID" 2>/dev/null || {
      tail -5 "$DIR/actad.log" >&2
      fail "the broker ended; its log is $DIR/actad.log"
    }
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "the broker was not ready after 60 s; its log is $DIR/actad.log"
    sleep 0.1
  done
  export ACTA_SERVER
  ACTA_SERVER=$(ready_value grpc)
  printf '$ %s\n' "export ACTA_SERVER=$ACTA_SERVER"
}

stop_broker() {
  [ -n "$BROKER_PID" ] || return 0
  local pid=$BROKER_PID
  BROKER_PID=
  kill "-$1" "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null
}

prepare_folder() {
  if [ -e "$DIR" ] && [ ! -e "$DIR/$QUICKSTART_MARK" ]; then
    fail "'$DIR' exists and is not of an earlier quickstart; name another with --dir"
  fi
  if [ -s "$DIR/ready.json" ]; then
    READY=$DIR/ready.json
    local pid
    pid=$(ready_value pid)
    # The folder's own broker only: the number may be another process's by now.
    if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null |
      grep -qF -- "--data $DIR/broker"; then
      fail "a broker is running on '$DIR' (process $pid); stop it first: kill $pid"
    fi
  fi
  rm -rf "$DIR"
}

check_disk() {
  local free
  free=$(df -Pk "$(dirname "$DIR")" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge $QUICKSTART_FREE_KIB ] ||
    fail "5 GiB of free disk are needed at '$(dirname "$DIR")'; there are $((free / 1048576)) GiB"
}

prepare_programs() {
  if [ -n "${ACTA_BIN:-}" ]; then
    BIN=$ACTA_BIN
  else
    say "Install what is missing and build the broker and its command line."
    BIN=$ROOT/build/release/bin
    echo "\$ tools/dev build release actad acta"
    dev_build release actad acta
  fi
  export PATH=$BIN:$PATH
  printf '$ %s\n' "export PATH=$BIN:\$PATH"
}

publish_events() {
  local quakes="--type earthquake.recorded --id @/id --key @/properties/net \
--time @/properties/time:ms"
  say "Two topics of four partitions each."
  step "acta topic create earthquakes"
  step "acta topic create flights"
  step "acta topic list"

  say "Publish a week of earthquakes: their own ids, the network as key, the time they happened."
  step "acta publish earthquakes --file $DATA/earthquakes.jsonl --format jsonl $quakes -o csv"
  expect "earthquakes stored" "$(csv_value STORED <<<"$OUTPUT")" $EARTHQUAKES

  say "Publish 200,000 flights, without key and id."
  step "acta publish flights --file $DATA/flights.jsonl.gz --format jsonl --type flight.flown"
  say "Publish the earthquakes once more: the broker knows their ids and stores nothing twice."
  step "acta publish earthquakes --file $DATA/earthquakes.jsonl --format jsonl $quakes -o csv"
  expect "duplicates" "$(csv_value DUPLICATES <<<"$OUTPUT")" $EARTHQUAKES
  expect "stored twice" "$(csv_value STORED <<<"$OUTPUT")" 0
}

consume() {
  local all=$((EARTHQUAKES + FLIGHTS))
  local half=$((all / 2))
  say "The group 'archive' reads both topics to their ends and commits."
  step "acta subscribe earthquakes flights --group archive --until-end > $DIR/archive.jsonl"
  step "wc -l < $DIR/archive.jsonl"
  expect "events read by archive" "$OUTPUT" $all

  say "The group 'dashboard' reads the same events at its own pace, and stops half way."
  step "acta subscribe earthquakes flights --group dashboard --max $half > $DIR/dashboard.jsonl"
  step "wc -l < $DIR/dashboard.jsonl"
  expect "events read by dashboard" "$OUTPUT" $half

  say "How far each group is behind: in events, bytes and time."
  step "acta group lag archive"
  step "acta group lag dashboard"
  expect "lag of archive" "$(lag_of archive)" 0
  expect "lag of dashboard" "$(lag_of dashboard)" $((all - half))
}

# Events a group has still to read, over all partitions.
lag_of() {
  acta group lag "$1" -o csv |
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "LAG") at = i }
             NR > 1 { sum += $at } END { print sum + 0 }'
}

replay() {
  local end middle time
  end=$(acta topic describe flights -o csv | csv_value END)
  middle=$((end / 2))
  say "Read again from the past: first, when was the middle flight of partition 0 stored?"
  step "acta read flights --partition 0 --offset $middle --max 1 --format json"
  time=$(sed -n 's/.*"append_time":"\([^"]*\)".*/\1/p' <<<"$OUTPUT")
  say "Everything stored since then, by time, without a group."
  step "acta subscribe flights --from $time --until-end | tee $DIR/second-half.jsonl | wc -l"
  local second=$OUTPUT first
  step "acta subscribe flights --from earliest --to $time | wc -l"
  first=$OUTPUT
  expect "flights before and after $time" $((first + second)) $FLIGHTS
  [ "$second" -gt 0 ] && [ "$second" -lt $FLIGHTS ] || fail "quickstart: no half: $second"

  say "And a range by offset: three earthquakes of one partition."
  local partition
  partition=$(acta topic describe earthquakes -o csv |
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
             NR > 1 && $at["END"] >= 103 { print $at["PARTITION"]; exit }')
  step "acta read earthquakes --partition $partition --offset 100 --max 3 --format json"
  expect "events of the range" "$(grep -c '"offset":10[012],' <<<"$OUTPUT")" 3
}

# Everything that must survive: positions of the groups, and every event with its place.
fingerprint() {
  local group
  for group in archive dashboard; do
    echo "$group"
    acta group lag "$group" -o csv | cut -d, -f1-6
  done
  acta subscribe earthquakes flights --from earliest --until-end --format json |
    sort | sha256sum
}

crash_and_compare() {
  fingerprint >"$DIR/before.txt"
  say "Kill the broker, as a crash would, and start it again on the same folder."
  printf '$ %s\n' "kill -9 $BROKER_PID"
  stop_broker 9 || true
  start_broker
  fingerprint >"$DIR/after.txt"
  say "Positions and events are as before."
  step "acta group lag dashboard"
  step "diff $DIR/before.txt $DIR/after.txt && echo 'no difference'"
}

finish() {
  say "Stop the broker."
  printf '$ %s\n' "kill $BROKER_PID"
  local status=0
  stop_broker TERM || status=$?
  expect "exit code of the broker" "$status" 0
  cat <<TEXT

Done. Everything is in $DIR.

Start the broker again:
  $BIN/actad --data $DIR/broker
Then, in another terminal (it listens on 127.0.0.1:7450):
  $BIN/acta topic list
  $BIN/acta subscribe earthquakes --group alarms --until-end --format json
  $BIN/acta group lag alarms
  echo 'hello' | $BIN/acta publish earthquakes --type greeting --key me
Remove it all:
  tools/dev quickstart --clean --dir $DIR
TEXT
}

quickstart_clean() {
  [ -e "$DIR" ] || return 0
  [ -e "$DIR/$QUICKSTART_MARK" ] || fail "'$DIR' is not of a quickstart"
  prepare_folder
  echo "removed $DIR"
}

dev_quickstart() {
  DIR=./quickstart-data
  local clean=
  while [ $# -gt 0 ]; do
    case $1 in
      --clean) clean=1 ;;
      --dir)
        [ $# -gt 1 ] || fail "--dir needs a folder"
        DIR=$2
        shift
        ;;
      *) fail "quickstart: unknown option '$1'; it takes --clean and --dir DIR" ;;
    esac
    shift
  done
  DIR=$(realpath -m "$DIR")
  if [ -n "$clean" ]; then
    quickstart_clean
    return
  fi
  DATA=$ROOT/docs/start/data
  READY=$DIR/ready.json
  [ "$DATA" = "$PWD/docs/start/data" ] && DATA=docs/start/data
  check_disk
  prepare_folder
  READY=$DIR/ready.json
  prepare_programs
  mkdir -p "$DIR"
  touch "$DIR/$QUICKSTART_MARK"
  trap 'stop_broker TERM || true' EXIT
  say "Start a broker on a folder of its own and free ports."
  start_broker
  publish_events
  consume
  replay
  crash_and_compare
  finish
}

#!/usr/bin/env python3
"""Breaks server/core/delivery in one place after another and runs the simulation against each: it
has to notice every one. `machine_mutants.py [WORD...]`: only those whose name has one of the words.

Needs a build of delivery_test in build/release; each is compiled and linked beside it, in a folder
of its own. Unbroken the room has to pass. ACTA_MUTANT_LIVES: how many lives each has until it
counts as unnoticed.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get('ACTA_BUILD', ROOT / 'build/release'))
ROOM = 'server/core/delivery'
LIVES = os.environ.get('ACTA_MUTANT_LIVES', '50000')
TIMEOUT_S = 300

# What it does wrong, the file, what stands there once, and what stands there instead.
MUTANTS = [
    ('settles the wrong attempt in a step', 'partition_queue_hold.cc',
     'entry.attempts + 1 == attempt && entry.redrives == redrives', 'entry.redrives == redrives'),
    ('settles the wrong round in a step', 'partition_queue_hold.cc',
     'entry.attempts + 1 == attempt && entry.redrives == redrives',
     'entry.attempts + 1 == attempt'),
    ('takes an ack from anybody', 'partition_queue_settle.cc',
     'if (entry != nullptr && entry->holder == member) {', 'if (entry != nullptr) {'),
    ('takes a nack without the lease', 'partition_queue_settle.cc',
     'return lost ? SettleOutcome::kLeaseLost : outcome;', 'return outcome;'),
    ('forgets a due time at a load', 'partition_queue.cc',
     '    entry.due_us = event.due_us;\n', ''),
    ('forgets attempts at a load', 'partition_queue.cc',
     '    entry.attempts = event.attempts;\n', ''),
    ('forgets rounds at a load', 'partition_queue.cc',
     '    entry.redrives = event.redrives;\n', ''),
    ('loses a parked row at a load', 'partition_queue.cc',
     '    Entry& entry = events_.AddParked(event.offset, event.facts);\n',
     '    if (&event == &parked.back()) break;\n'
     '    Entry& entry = events_.AddParked(event.offset, event.facts);\n'),
    ('takes what is held for waiting at a load', 'partition_queue.cc',
     '      return State::kHeld;\n  }\n  return State::kRetryWait;',
     '      return State::kRetryWait;\n  }\n  return State::kRetryWait;'),
    ('scans what was settled again', 'partition_queue.cc',
     'if (!done_ahead_.empty() && done_ahead_.back().first <= offset) return;', ''),
    ('hands one key out twice', 'partition_queue_lease.cc',
     'if (!Ordered(*entry) || turns_.Take(entry->facts.key, offset)) return true;',
     'if (!Ordered(*entry) || turns_.Take(entry->facts.key, offset) || offset.value() % 7 == 3)'
     ' return true;'),
    ('passes a key on before that is durable', 'partition_queue_settle.cc',
     'changes_.turns.push_back({offset, facts.key});', 'PassTurn(offset, facts);'),
    ('never passes a key on', 'partition_queue_settle.cc',
     'changes_.turns.push_back({offset, facts.key});', ''),
    ('lets the key of what is held go on', 'partition_queue_settle.cc',
     'if (policy_.order == QueueOrder::kKey || held) {',
     'if (policy_.order == QueueOrder::kKey) {'),
    ('makes others of a key wait for a relaxed one', 'partition_queue_settle.cc',
     'if (policy_.order == QueueOrder::kKey || held) {', 'if (true) {'),
    ('counts a release', 'partition_queue_settle.cc',
     '  DropLease(entry);\n  entry->holder = 0;\n  if (!delivered) --entry->deliveries;\n'
     '  MakeReady(offset, entry);\n  ++budget_.tally.released;',
     '  EndAttempt(offset, AttemptEnd::kNack, {}, entry->leased_us);'),
    ('counts a clean leave', 'partition_queue_settle.cc',
     'if (cleanly) {', 'if (false) {'),
    ('gives back what a broken stream had', 'partition_queue_settle.cc',
     'if (cleanly) {', 'if (true) {'),
    ('leaves leases to who is gone', 'partition_queue_settle.cc',
     'for (const Offset offset : held) {\n    if (cleanly)',
     'for (const Offset offset : std::vector<Offset>()) {\n    if (cleanly)'),
    ('never ends a lease', 'partition_queue_lease.cc',
     'EndAttempt(offset, AttemptEnd::kLeaseExpired, {}, now_us);', ''),
    ('ends a lease that was extended', 'partition_queue_settle.cc',
     'entry->run = leases_.Open({offset, offset + 1}, until_us);\n  return outcome;',
     'entry->run = leases_.Open({offset, offset + 1}, now_us);\n  return outcome;'),
    ('extends without a bound', 'partition_queue_settle.cc',
     'if (until_us > entry->leased_us', 'if (false && until_us > entry->leased_us'),
    ('ignores the grace', 'partition_queue_lease.cc',
     'return now_us < grace_until_us_ && offset < grace_end();', 'return false;'),
    ('keeps the grace for ever', 'partition_queue_lease.cc',
     '    grace_until_us_ = 0;\n', '    grace_until_us_ = now_us + 1;\n'),
    ('gives what waits its time to who says he has it', 'partition_queue_lease.cc',
     'if (WasTried(*entry) && entry->due_us > now_us) return false;', ''),
    ('waits half as long', 'partition_queue_settle.cc',
     'now_us + absl::ToInt64Microseconds(delay),',
     'now_us + absl::ToInt64Microseconds(delay) / 2,'),
    ('takes no delay from a nack', 'partition_queue_settle.cc',
     'if (nack.delay.has_value()) return *nack.delay;', ''),
    ('gives one attempt more', 'partition_queue_settle.cc',
     'const bool exhausted = attempts >= policy_.max_attempts;',
     'const bool exhausted = attempts > policy_.max_attempts;'),
    ('never holds a key', 'partition_queue_settle.cc',
     'if (rejected || (exhausted && !hold)) {', 'if (rejected || exhausted) {'),
    ('tries what was rejected again', 'partition_queue_settle.cc',
     'const bool rejected = end == AttemptEnd::kReject;', 'const bool rejected = false;'),
    ('buries twice', 'partition_queue_settle.cc',
     'changes_.dead_letters.push_back(letter);',
     'changes_.dead_letters.push_back(letter);\n  changes_.dead_letters.push_back(letter);'),
    ('does not count its dead letters', 'partition_queue_settle.cc',
     '  ++budget_.dead_letters;\n', ''),
    ('leases with as many dead letters as may be', 'partition_queue_lease.cc',
     ' &&\n         budget_.dead_letters < budget_.max_dead_letters', ''),
    ('scans with as many parked as may be', 'partition_queue.cc',
     ' ||\n      budget_.parked >= budget_.max_parked)', ')'),
    ('does not count what it parks', 'partition_queue.cc', '  ++budget_.parked;\n', ''),
    ('delivers once more than may be', 'partition_queue_lease.cc',
     'if (entry->deliveries >= policy_.max_deliveries) {',
     'if (entry->deliveries > policy_.max_deliveries) {'),
    ('leases what is expired', 'partition_queue_lease.cc',
     'if (entry->facts.expires_us <= now_us) {', 'if (false) {'),
    ('keeps what expires while it is held', 'partition_queue_lease.cc',
     'if (entry.state == State::kHeld) return entry.facts.expires_us;',
     'if (entry.state == State::kHeld) return std::numeric_limits<int64_t>::max();'),
    ('does not say that it moved', 'partition_queue_settle.cc',
     '  } else {\n    moved_ = true;\n  }\n', '  }\n'),
    ('does not say that it moved by parking', 'partition_queue.cc',
     '  moved_ = true;\n  ++budget_.parked;\n', '  ++budget_.parked;\n'),
    ('forgets the neighbours of what is settled', 'outstanding.cc',
     'if (page->second->used == 0) pages_.erase(page);',
     'if ((page->second->used & 15) == 0) pages_.erase(page);'),
    ('forgets what it knew of what it parks', 'outstanding.cc',
     '  entry = *page->second->At(offset);\n',
     '  entry.facts = page->second->At(offset)->facts;\n'),
    ('finds what was settled', 'outstanding.cc',
     '  page->second->used &= ~(1U << Page::PlaceOf(offset));\n',
     '  if (offset.value() % 8 != 5) page->second->used &= ~(1U << Page::PlaceOf(offset));\n'),
    ('keeps the run of what is settled', 'outstanding.cc',
     '    run->second = offset;\n', ''),
    ('does not write what is parked', 'partition_queue.cc',
     'PartitionQueue::Entry& PartitionQueue::Park(Offset offset) {\n  rows_.insert(offset);\n',
     'PartitionQueue::Entry& PartitionQueue::Park(Offset offset) {\n'),
    ('leaves the row of what is settled', 'partition_queue_settle.cc',
     '    --budget_.parked;\n    rows_.insert(offset);\n', '    --budget_.parked;\n'),
    ('writes what is held as waiting', 'partition_queue.cc',
     'entry.state == State::kHeld ? ParkedEvent::State::kHeld\n',
     'false ? ParkedEvent::State::kHeld\n'),
    ('keeps attempts over a redrive', 'partition_queue_settle.cc',
     '    events_.Remove(offset);\n  }\n  Entry& entry = events_.AddParked(offset, facts);\n',
     '  }\n  const int32_t tried = held == nullptr ? 0 : held->attempts;\n'
     '  if (held != nullptr) events_.Remove(offset);\n'
     '  Entry& entry = events_.AddParked(offset, facts);\n  entry.attempts = tried;\n'),
    ('does not write a redrive', 'partition_queue_settle.cc',
     '  AwaitTime(offset, entry);\n  rows_.insert(offset);\n  return true;',
     '  AwaitTime(offset, entry);\n  return true;'),
    ('does not tell of a failure', 'partition_queue_settle.cc',
     '  changes_.failed.push_back(failure.attempt);\n', ''),
    ('does not tell which attempts are past', 'partition_queue_settle.cc',
     '    changes_.past.push_back({offset, entry->attempts});\n', ''),
    ('loses what is settled in a step', 'partition_queue_hold.cc',
     '  position.outstanding = std::move(left);\n', ''),
    ('takes a failure in a step for an ack', 'partition_queue_hold.cc',
     '  if (failure == nullptr) {\n', '  if (true) {\n'),
    ('keeps in a step what did not happen', 'partition_queue_hold.cc',
     '  SetState(entry, State::kLeased);\n  if (leases_.Has(entry->run)) return;\n',
     '  if (leases_.Has(entry->run)) return;\n'),
    ('forgets the lease of a step that did not happen', 'partition_queue_hold.cc',
     '  entry->run = leases_.Open({offset, offset + 1}, *anew_us);\n', ''),
    ('loses others by a skip', 'partition_queue_settle.cc',
     'skipped.push_back({head_, std::min(end, next_done)});',
     'skipped.push_back({head_, end});'),
    ('forgets a skip of what was not scanned', 'partition_queue_settle.cc',
     '    head_ = skipped.back().end;\n    moved_ = true;\n', '    head_ = skipped.back().end;\n'),
    ('parks what goes from the log as something else', 'partition_queue.cc',
     '    if (entry.state == State::kReady) ready_.insert(offset);\n', ''),
    ('says that there is nothing to do', 'partition_queue_lease.cc',
     '  if (!due_.empty()) sooner(due_.begin()->first);\n', ''),
    ('comes again at once', 'partition_queue_lease.cc',
     'if (waits && grace_until_us_ > 0) sooner(grace_until_us_);', 'if (waits) sooner(now_us_);'),
    ('forgets who waits for a key', 'key_turns.cc',
     'it->second.waiting.insert(offset);',
     'if (it->second.waiting.empty() || offset.value() % 5 != 3)\n'
     '    it->second.waiting.insert(offset);'),
    ('gives the turn to the last', 'key_turns.cc',
     '  turn.front = *turn.waiting.begin();\n  turn.waiting.erase(turn.waiting.begin());\n',
     '  turn.front = *turn.waiting.rbegin();\n  turn.waiting.erase(turn.front);\n'),
    ('gives a free key away', 'key_turns.cc',
     '  if (turn.front != offset) {\n    turn.waiting.erase(offset);\n    return std::nullopt;\n'
     '  }\n', ''),
    ('counts states wrong', 'partition_queue_settle.cc',
     '  --Counted(entry->state);\n  const EventFacts', '  const EventFacts'),
]


def commands(target):
    lines = subprocess.run(['ninja', '-C', BUILD, '-t', 'commands', target], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if not line.startswith('ninja:')]


def compile_flags():
    """Of a source of the room."""
    line = next(line for line in commands('tests/delivery_test')
                if f'{ROOM}/CMakeFiles' in line and ' -c ' in line)
    words = line.split()
    begin = next(i for i, word in enumerate(words) if word.endswith('c++'))
    end = words.index('-MD')
    return words[begin:end]


class Bench:
    """Compiles, links and runs one copy of the room."""

    def __init__(self, folder):
        self.folder = folder
        self.flags = compile_flags()
        self.link = commands('tests/delivery_test')[-1]
        self.library = f'{ROOM}/libacta_core_delivery.a'
        if self.link.count(self.library) != 1:
            sys.exit(f'delivery_test is not linked with {self.library}')

    def run(self, number, file, was, becomes):
        """What the simulation says; empty: it noticed nothing, or what happened is the second."""
        place = self.folder / str(number)
        room = place / ROOM
        shutil.copytree(ROOT / ROOM, room)
        text = (room / file).read_text()
        if text.count(was) != 1:
            return '', f'{file}: what is to be changed stands there {text.count(was)} times'
        (room / file).write_text(text.replace(was, becomes))
        unity = place / 'all.cc'
        unity.write_text(''.join(f'#include "{source}"\n' for source in sorted(room.glob('*.cc'))))
        made = subprocess.run([*self.flags[:1], f'-I{place}', *self.flags[1:], '-Wno-error', '-c',
                               unity, '-o', place / 'all.o'], cwd=BUILD, capture_output=True,
                              text=True, check=False)
        if made.returncode != 0:
            return '', made.stderr[-2000:]
        link = self.link.replace(self.library, str(place / 'all.o'))
        link = link.replace('-o tests/delivery_test', f'-o {place / "test"}')
        subprocess.run(link, shell=True, check=True, cwd=BUILD)
        try:
            ran = subprocess.run([place / 'test', 'a queue keeps its promises whatever happens'],
                                 env={**os.environ, 'ACTA_SEED': '1', 'ACTA_QUEUE_LIVES': LIVES},
                                 capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return '', 'it does not end'
        finally:
            shutil.rmtree(place)
        if ran.returncode == 0 and 'All tests passed' in ran.stdout:
            return '', ''
        said = re.search(r'with message:\n(.*)\n\s*ACTA_SEED=(\d+)', ran.stdout)
        if said:
            return f'life {said[2]}, {said[1].strip()}', ''
        return '', f'it ends with {ran.returncode}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}'


def main():
    wanted = [one for one in MUTANTS
              if not sys.argv[1:] or any(word in one[0] for word in sys.argv[1:])]
    unnoticed = []
    with tempfile.TemporaryDirectory(prefix='acta-mutants-') as folder:
        bench = Bench(pathlib.Path(folder))
        found = bench.run('unbroken', 'key_turns.cc', 'namespace acta {', 'namespace acta {')
        if found != ('', ''):
            sys.exit(f'the simulation fails by itself: {found}')
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = [pool.submit(bench.run, number, *mutant[1:])
                    for number, mutant in enumerate(wanted)]
            for mutant, run in zip(wanted, runs):
                noticed, why = run.result()
                print(f'{mutant[0]}: {noticed or why or "NOT NOTICED"}', flush=True)
                if not noticed:
                    unnoticed.append(mutant[0])
    print(f'{len(wanted)} mutants of the machine, {len(wanted) - len(unnoticed)} noticed')
    sys.exit(1 if unnoticed else 0)


if __name__ == '__main__':
    main()

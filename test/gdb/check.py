# SPDX-License-Identifier: BSD-2-Clause
"""Run by gdb on a process, or a core, of program.c: what the commands of
libuma say, against what the program has said itself, which is in $OUT.

With $BREAK=yes the process's memory is then damaged in many ways: each command
has to come to an end and may say what is wrong, but not fail itself."""

import os
import random
import re
import time

import gdb

OUT = open(os.environ["OUT"], encoding="utf-8",
           errors="backslashreplace").read()
DEBUG_INFO = os.environ.get("DEBUG_INFO") == "yes"
failures = 0


def ask(command):
    """What it prints, or says is wrong."""
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as error:
        return "error: %s" % error


def check(sentence, good, *details):
    global failures
    failures += not good
    print("%s: %s" % ("ok" if good else "FAILED", sentence))
    if not good:
        print("\n".join(str(detail) for detail in details))


def check_zones():
    table = OUT[OUT.index("ITEM "):]
    said = ask("uma zones")
    check("uma zones is what uma_stats_print says", said == table, said, table)


def check_whatis():
    free = allocated = 0
    for line in OUT.splitlines():
        if not line.startswith("whatis "):
            continue
        _, addr, state, item, index, slab, size = [
            "0" if word == "(nil)" else word for word in line.split()]
        said = ask("uma whatis " + addr)
        if state == "none":
            good = said == "%#x: not of libuma's memory\n" % int(addr, 16)
        else:
            good = re.match(
                r"%s: item %s at %s, (allocated|free, [^;]*); zone '[^']*' "
                r"\(0x[0-9a-f]+\), \d+ bytes\n  slab %s of %s bytes"
                % (addr, index, item, slab, size), said) is not None
            if state in ("ready", "fresh"):
                good = good and ": free" in said.replace("%s, " % item, ": ")
            allocated += ", allocated;" in said
            free += ", free, " in said
        check("uma whatis %s: %s" % (addr, state), good, said, line)
    check("three of conn and others are allocated", allocated >= 12, allocated)
    check("nine of conn are free", free == 9, free)


def check_walk():
    said = ask("uma walk conn")
    words = OUT.splitlines()[:3]
    want = sorted(int(line.split()[3], 16) for line in words)
    check("uma walk shows what is allocated", said == "".join(
        "%#x\n" % addr for addr in want) + "3 items allocated.\n", said)
    for name, items in ((r'"two words"', 1), ("hash", 200), ("large", 1),
                        ("coloured", 100),
                        ("percpu", 1), ("empty", 0),
                        (r"'bad\\x1b[31m%s%n\\\\ ä\\x80'", 1)):
        said = ask("uma walk " + name)
        end = "%d item%s allocated.\n" % (items, "" if items == 1 else "s")
        rows = said.splitlines()[:-1]
        check("uma walk %s: %d" % (name, items), said.endswith(end) and
              len(rows) == items and rows == sorted(rows), said)
    if not DEBUG_INFO:
        said = ask("uma walk conn struct conn")
        check("a type that is not known is said to be",
              said == "error: uma walk: No struct type named conn.", said)
        return
    said = ask("uma walk conn struct conn")
    for i in range(3):
        check("uma walk prints conn %d" % i, re.search(
            r'^0x[0-9a-f]+ = \{fd = %d, peer = "peer %d"' % (i, i), said,
            re.M) is not None, said)
    said = ask("uma walk empty struct conn")
    check("a type that is too large is refused",
          said == "error: struct conn has 32 bytes, and an item of 'empty' "
          "16.", said)


def check_slabs():
    said = ask("uma slabs conn")
    rows = [[int(word, 0) for word in line.split()]
            for line in said.splitlines()[2:]]
    check("uma slabs has a row a slab", len(rows) >= 4, said)
    check("its items add up", all(row[2] == sum(row[3:]) for row in rows),
          said)
    check("it has the allocated ones", sum(row[3] for row in rows) == 3, said)
    _, size, _, used, free = re.search(
        r"^(conn): +(\d+), +(\d+), *(\d+), *(\d+),", OUT, re.M).groups()
    check("and the free ones", sum(row[2] for row in rows) ==
          int(used) + int(free), said, size)


def check_arguments():
    for command, want in (
            ("uma walk", "error: Usage: uma walk ZONE [TYPE]"),
            ("uma walk none", "error: There is no zone 'none'; 'uma zones' "
             "shows all."),
            ("uma walk twin", "error: There are 2 zones of that name; say "
             "which: 0x"),
            ("uma slabs 0x10", "error: There is no zone '0x10'"),
            ("uma whatis", "error: Usage: uma whatis ADDRESS"),
            ("uma whatis 1 +", "error: uma whatis: "),
            ("uma walk none\x1b%s", "error: There is no zone 'none\\x1b%s'"),
            ("uma zones x", "error: Usage: uma zones")):
        said = ask(command)
        check("%r: a message" % command, said.startswith(want), said)
    addr = re.search(r"which: (0x[0-9a-f]+)", ask("uma walk twin"))
    said = ask("uma walk " + addr.group(1))
    check("a zone by its address", said == "0 items allocated.\n", said)


# ---- damage ----

COMMANDS = ("uma zones", "uma walk conn", "uma slabs hash", "uma walk large",
            "uma whatis %s" % OUT.split()[1])


def places():
    """Addresses of what the commands look at, and a bit around."""
    namespace = {}
    for name in ("copies", "layout_addresses", "Memory", "HEAD"):
        namespace[name] = getattr(__import__("__main__"), name)
    layout = namespace["layout_addresses"](namespace["Memory"]())[0]
    found = [range(layout, layout + 256, 4)]
    for copy in namespace["copies"]():
        lay = copy.lay
        found += [range(addr, addr + 16, 4) for addr in lay.root.values()]
        for zone in copy.zones:
            keg = zone.keg()
            found.append(range(zone.addr, zone.addr + len(zone.raw), 4))
            found.append(range(keg.addr, keg.addr + len(keg.raw), 4))
            found += [range(slab.addr, slab.addr + 128, 4)
                      for slab in keg.slabs()]
            table = zone.get("zone.uz_cache", "cache.c_table")
            if table:
                found.append(range(table, table + 128, 4))
    tables = gdb.selected_inferior().read_memory(layout + 48, 64)
    for at in range(0, 64, 8):
        table = int.from_bytes(tables[at:at + 8], "little")
        if table:
            found.append(range(table, table + 32, 4))
            entries = int.from_bytes(
                gdb.selected_inferior().read_memory(table, 8), "little")
            found.append(range(entries, entries + 1024, 4))
    return found


def damage(rounds):
    seed = int(os.environ.get("UMA_TEST_SEED") or time.time())
    print("UMA_TEST_SEED=%d" % seed)
    rand = random.Random(seed)
    inferior = gdb.selected_inferior()
    regions = places()
    words = [at for region in regions for at in region]
    failed, longest, wrong = [], 0, 0
    for _ in range(rounds):
        undo = []
        for _ in range(rand.choice((1, 1, 1, 2, 8))):
            at = rand.choice(words)
            size = rand.choice((1, 4, 8))
            value = rand.choice((
                bytes(size), b"\xff" * size, rand.randbytes(size),
                rand.choice(words).to_bytes(8, "little")[:size]))
            try:
                before = bytes(inferior.read_memory(at, size))
                inferior.write_memory(at, value)
            except gdb.error:
                continue
            undo.append((at, before))
        for command in COMMANDS:
            start = time.time()
            said = ask(command)
            longest = max(longest, time.time() - start)
            wrong += said.startswith("error: ")
            if "Error occurred in Python" in said or "Traceback" in said:
                failed.append("%s: %s" % (command, said))
        for at, value in reversed(undo):
            inferior.write_memory(at, value)
    print("%d rounds, %d messages, longest %.2f s" % (rounds, wrong, longest))
    check("damaged memory makes messages, no failures", not failed, *failed)
    check("some damage was noticed", wrong > 0)
    check("none takes long", longest < 120, longest)
    check("what was there is there again",
          ask("uma zones") == OUT[OUT.index("ITEM "):])


def check_versions():
    inferior = gdb.selected_inferior()
    module = __import__("__main__")
    layout = module.layout_addresses(module.Memory())[0]
    for at, value, want in (
            (8, b"\x02", "error: This libuma is another version, with layout "
             "2; these commands know layout 1."),
            (0, b"x", "error: The layout of libuma is damaged"),
            (44, b"\xff\xff", "error: The layout of libuma is damaged")):
        before = bytes(inferior.read_memory(layout + at, len(value)))
        inferior.write_memory(layout + at, value)
        said = ask("uma zones")
        check("another layout: a message", said.startswith(want), said)
        inferior.write_memory(layout + at, before)


def check_lengths():
    module = __import__("__main__")
    memory = module.Memory()
    layout = module.layout_addresses(memory)[0]
    said = []
    for size in 1 << 33, 8:
        try:
            said.append(memory.read(layout, size, "it"))
        except module.Trouble as trouble:
            said.append(str(trouble))
    check("nobody reads more than a process has",
          all(str(text).startswith("Gave up") for text in said), *said)


check_zones()
check_whatis()
check_walk()
check_slabs()
check_arguments()
if os.environ.get("BREAK") == "yes":
    check_versions()
    check_lengths()
    damage(int(os.environ.get("ROUNDS") or 200))
print("%d failed" % failures)

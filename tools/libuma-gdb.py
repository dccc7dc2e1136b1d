# SPDX-License-Identifier: BSD-2-Clause
"""libuma's zones in gdb: uma zones, uma whatis, uma walk, uma slabs.

How it works.  Every copy of the library has a table of its own structs, members
and variables, uma_debug_layout (uma/debug.h), in memory.  An ELF note leads
there, so neither debug information nor symbols are needed: the notes of the
program are found through its auxiliary vector, those of its libraries through
the dynamic linker's list.  All is read from memory, of a process or of a core
file alike; nothing is called there, and nothing is changed.

Memory is not believed.  It may be damaged, which may be why one is here.  What is
read is copied, and taken from the copy within its bounds; a list is followed
only as long as each step leads back to the one before, so it cannot lead round;
counts are bounded, and so is what one command reads.  Whatever does
not hold is a Trouble, which becomes a message and never a traceback.

Words: zone, keg, slab, item, bucket, depot as in uma(3).  An item is out
(allocated), cached (free, in a bucket), ready (free, in its slab) or fresh (the
same, and its init has not run).
"""

import collections
import re
import struct

import gdb

LIBRARY = "0.1.0"  # that this file came with

# No process has more, so what says it has is damaged.
READS_MAX = 1 << 22
READ_LEN = 1024  # bytes; a longer read counts as several
ZONES_MAX = 1 << 17
CPUS_MAX = 1 << 16
DOMAINS_MAX = 1 << 10
STRUCT_MAX = 1 << 16
NAME_MAX = 4096
SLABS_MAX = 1 << 22
ITEMS_MAX = 1 << 20
BUCKETS_MAX = 1 << 20
COPIES_MAX = 64
LIBRARIES_MAX = 1 << 14


class Trouble(Exception):
    """What is to be said, in a sentence."""


# ---- memory ----


class Memory:
    """The memory of what gdb looks at, as far as one command may read it."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        self.reads = 0
        if self.inferior is None or self.inferior.pid == 0:
            raise Trouble("There is no process and no core file: start the "
                          "program, attach to it, or load its core.")

    def read(self, addr, size, what):
        self.reads += 1 + size // READ_LEN
        if self.reads > READS_MAX:
            raise Trouble("Gave up: libuma's memory seems to be damaged.")
        if 0 <= addr and addr + size <= 1 << 64:
            try:
                return bytes(self.inferior.read_memory(addr, size))
            except (gdb.error, OverflowError, ValueError):
                pass
        raise Trouble("Cannot read %s, at %#x." % (what, addr))

    def number(self, addr, size, what):
        return int.from_bytes(self.read(addr, size, what), "little")


def number_at(raw, offset, size):
    """A number in bytes that have been read."""
    if offset + size > len(raw):
        raise Trouble("The layout of libuma is damaged.")
    return int.from_bytes(raw[offset:offset + size], "little")


def bit_at(raw, index):
    return raw[index >> 3] >> (index & 7) & 1


# ---- from the program to the copies of the library in it ----

EHDR = struct.Struct("<4sBB10xHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
DT_DEBUG = 21
PAGE = 4096
NOTES_MAX = 1 << 16
NOTE_OWNER, NOTE_TYPE = b"libuma\0", 1


class Elf:
    """The headers of a program or library, as they lie in memory."""

    def __init__(self, memory, base):
        self.memory = memory
        head = EHDR.unpack(memory.read(base, EHDR.size, "an ELF header"))
        phoff, phentsize, phnum = head[7], head[11], head[12]
        if (head[:3] != (b"\x7fELF", 2, 1) or phentsize != PHDR.size or
                phnum > 256):
            raise Trouble("There is no ELF header at %#x." % base)
        raw = memory.read(base + phoff, phnum * PHDR.size, "ELF headers")
        self.phdr = list(PHDR.iter_unpack(raw))
        self.bias = None
        for kind, _, offset, vaddr, _, _, _, _ in self.phdr:
            if kind == PT_LOAD and offset < PAGE and self.bias is None:
                self.bias = base - (vaddr - offset)
        if self.bias is None:
            raise Trouble("There is no ELF program at %#x." % base)

    def segments(self, wanted):
        """(address, bytes) of those of a kind."""
        for kind, _, _, vaddr, _, filesz, _, _ in self.phdr:
            if kind == wanted:
                yield self.bias + vaddr, filesz

    def layouts(self):
        """Where the notes of libuma in it lead to."""
        for addr, size in self.segments(PT_NOTE):
            if size > NOTES_MAX:
                continue
            raw = self.memory.read(addr, size, "ELF notes")
            for owner, kind, at, desc in notes(raw):
                if owner == NOTE_OWNER and kind == NOTE_TYPE and \
                        len(desc) == 8:
                    distance = int.from_bytes(desc, "little")
                    yield addr + at + distance & (1 << 64) - 1

    def dynamic(self, wanted):
        """The value of an entry of the dynamic section, or 0."""
        for addr, size in self.segments(PT_DYNAMIC):
            raw = self.memory.read(addr, min(size, 1 << 16), "dynamic section")
            for tag, value in struct.iter_unpack("<QQ", raw[:len(raw) & ~15]):
                if tag == wanted:
                    return value
        return 0


def notes(raw):
    """(owner, type, where the descriptor is, descriptor) of each."""
    at = 0
    while at + 12 <= len(raw):
        namesz, descsz, kind = struct.unpack_from("<III", raw, at)
        desc = at + 12 + (namesz + 3 & ~3)
        yield raw[at + 12:at + 12 + namesz], kind, desc, raw[desc:desc + descsz]
        at = desc + (descsz + 3 & ~3)


def program_elf(memory):
    try:
        auxv = gdb.execute("info auxv", to_string=True)
    except gdb.error:
        return None
    found = re.search(r"^\d+\s+AT_PHDR\s.*(0x[0-9a-f]+)\s*$", auxv, re.M)
    if found is None:
        return None
    phdr = int(found.group(1), 16)
    for base in (phdr - EHDR.size, phdr & ~(PAGE - 1)):
        try:
            return Elf(memory, base)
        except Trouble:
            pass
    return None


def library_bases(memory, program):
    """Where each shared library is loaded, as the dynamic linker has it."""
    at, prev = program.dynamic(DT_DEBUG), 0
    if at != 0:
        at = memory.number(at + 8, 8, "the list of libraries")
    for _ in range(LIBRARIES_MAX):
        if at == 0:
            return
        raw = memory.read(at, 40, "the list of libraries")
        base, _, _, after, back = struct.unpack("<5Q", raw)
        if back != prev:
            return
        if base != 0:
            yield base
        prev, at = at, after


def layout_addresses(memory):
    """Of all copies of the library, each once."""
    found = []

    def add(elf):
        for addr in elf.layouts():
            if addr not in found and len(found) < COPIES_MAX:
                found.append(addr)

    program = program_elf(memory)
    if program is not None:
        add(program)
        for base in library_bases(memory, program):
            try:
                add(Elf(memory, base))
            except Trouble:
                pass  # a library whose first page is not there
    if not found:
        try:
            value = gdb.parse_and_eval("(unsigned long)&uma_debug_layout")
            found.append(int(value))
        except gdb.error:
            raise Trouble("This program does not use libuma, or not yet.")
    return found


# ---- a copy's tables ----

MAGIC = b"libuma\0\0"
VERSION = 1
HEAD = struct.Struct("<8sII16sIIII")
ENTRY = struct.Struct("<24sII")
ROOT = struct.Struct("<24sQ")
TABLE = struct.Struct("<QQII")


class Layout:
    """Members, structs, constants and variables of one copy by their names."""

    def __init__(self, memory, addr):
        self.memory = memory
        self.entry = {}
        self.root = {}
        head = HEAD.unpack(memory.read(addr, HEAD.size, "libuma's layout"))
        magic, version, size, library, esize, rsize, tsize, tables = head
        self.library = escape(library)
        if magic != MAGIC:
            raise Trouble("The layout of libuma is damaged, at %#x." % addr)
        if version != VERSION:
            raise Trouble("This libuma is another version, with layout %d; "
                          "these commands know layout %d."
                          % (version, VERSION))
        if (size < HEAD.size + 8 * tables or tables > 256 or
                not ENTRY.size <= esize <= 256 or
                not ROOT.size <= rsize <= 256 or
                not TABLE.size <= tsize <= 256):
            raise Trouble("The layout of libuma is damaged, at %#x." % addr)
        raw = memory.read(addr + HEAD.size, 8 * tables, "libuma's layout")
        for (table,) in struct.iter_unpack("<Q", raw):
            self.add_table(table, esize, rsize)

    def add_table(self, addr, esize, rsize):
        raw = self.memory.read(addr, TABLE.size, "libuma's tables")
        entries, roots, entry_cnt, root_cnt = TABLE.unpack(raw)
        if entry_cnt > 4096 or root_cnt > 4096:
            raise Trouble("The tables of libuma are damaged, at %#x." % addr)
        raw = self.rows(entries, entry_cnt * esize)
        for n in range(entry_cnt):
            name, value, size = ENTRY.unpack_from(raw, n * esize)
            self.entry[name.split(b"\0")[0].decode("latin-1")] = value, size
        raw = self.rows(roots, root_cnt * rsize)
        for n in range(root_cnt):
            name, value = ROOT.unpack_from(raw, n * rsize)
            self.root[name.split(b"\0")[0].decode("latin-1")] = value

    def rows(self, addr, size):
        return self.memory.read(addr, size, "libuma's tables") if size else b""

    def find(self, table, name):
        if name not in table:
            raise Trouble("This libuma is damaged or another version, %s, "
                          "which has no '%s'; these commands are of %s."
                          % (self.library, name, LIBRARY))
        return table[name]

    def offset(self, *names):
        """Of a member, of a member of that, and so on."""
        return sum(self.find(self.entry, name)[0] for name in names)

    def const(self, name, most):
        value = self.find(self.entry, "const." + name)[0]
        if value > most:
            raise Trouble("The layout of libuma is damaged: %s is %d."
                          % (name, value))
        return value

    def size(self, name):
        """Of a struct, in bytes."""
        value = self.find(self.entry, name + ".")[0]
        if not 0 < value <= STRUCT_MAX:
            raise Trouble("The layout of libuma is damaged: %s has %d bytes."
                          % (name, value))
        return value

    def get(self, raw, *names, base=0):
        """A member's value, of a struct at raw[base]."""
        size = self.find(self.entry, names[-1])[1]
        if not 1 <= size <= 8:
            raise Trouble("The layout of libuma is damaged: %s has %d bytes."
                          % (names[-1], size))
        return number_at(raw, base + self.offset(*names), size)

    def address(self, name):
        """Of a variable."""
        return self.find(self.root, name)

    def variable(self, name, size, what):
        return self.memory.number(self.address(name), size, what)

    def list_walk(self, head, most, what):
        """The addresses of a list's links; ends in a Trouble if it breaks."""
        next_at = self.offset("list.next")
        prev_at = self.offset("list.prev")
        prev, at = head, self.memory.number(head + next_at, 8, what)
        for _ in range(most):
            if at == head:
                return
            back = self.memory.number(at + prev_at, 8, what)
            if back != prev:
                break
            yield at
            prev, at = at, self.memory.number(at + next_at, 8, what)
        raise Trouble("Something is wrong with %s, at %#x: it is damaged, or "
                      "was being changed." % (what, at))


# ---- text ----


def utf8_len(raw, at):
    """Bytes of a character that a terminal may be given; 0: it is none."""
    lead = raw[at]
    size = 4 if lead >= 0xf0 else 3 if lead >= 0xe0 else 2
    try:
        char = raw[at:at + size].decode("utf-8")
    except UnicodeDecodeError:
        return 0
    return size if len(char) == 1 and ord(char) >= 0xa0 else 0


def escape(raw):
    """Bytes up to a NUL, as the library itself shows names."""
    raw = raw.split(b"\0")[0]
    text, at = "", 0
    while at < len(raw):
        c = raw[at]
        size = 1 if 0x20 <= c < 0x7f else utf8_len(raw, at) if c > 0x7f else 0
        if size == 0:
            text += "\\x%02x" % c
            at += 1
            continue
        text += "\\\\" if c == 0x5c else raw[at:at + size].decode("utf-8")
        at += size
    return text


def say(text):
    """A line."""
    try:
        gdb.write(text + "\n")
    except UnicodeEncodeError:
        gdb.write(text.encode("ascii", "backslashreplace").decode() + "\n")


# ---- zones ----

ZoneRow = collections.namedtuple(
    "ZoneRow", "name size limit used free requests fails sleeps xdomain")


class Keg:
    """Where a zone's slabs are."""

    def __init__(self, lay, addr, domains):
        self.lay = lay
        self.addr = addr
        self.domains = domains
        size = lay.size("keg") + domains * lay.size("kegdom")
        raw = self.raw = lay.memory.read(addr, size, "a keg")
        self.items = lay.get(raw, "keg.uk_layout", "layout.l_items")
        self.stride = lay.get(raw, "keg.uk_layout", "layout.l_stride")
        pages = lay.get(raw, "keg.uk_layout", "layout.l_pages")
        self.slab_size = pages << lay.const("page_shift", 31)
        self.copies = lay.get(raw, "keg.uk_config", "config.kc_copies")
        if (not 1 <= self.items <= ITEMS_MAX or
                not 1 <= self.stride <= self.slab_size or
                self.slab_size > 1 << 42):
            raise Trouble("The keg at %#x is damaged: %d items of %d bytes in "
                          "a slab of %d." % (addr, self.items, self.stride,
                                             self.slab_size))

    def domain_base(self, domain):
        return self.lay.offset("keg.uk_domain") + \
            domain * self.lay.size("kegdom")

    def free(self):
        return sum(self.lay.get(self.raw, "kegdom.kd_free",
                                base=self.domain_base(d))
                   for d in range(self.domains))

    def slabs(self):
        """All of them, by address."""
        lay, found = self.lay, {}
        stride = lay.find(lay.entry, "kegdom.kd_list")[1]
        for domain in range(self.domains):
            for k in range(lay.const("keg_lists", 64)):
                head = self.addr + self.domain_base(domain) + \
                    lay.offset("kegdom.kd_list") + k * stride
                for link in lay.list_walk(head, SLABS_MAX,
                                          "the list of slabs"):
                    slab = Slab(self, link - lay.offset("slab.us_link"))
                    found[slab.run] = slab
        return [found[run] for run in sorted(found)]


class Slab:
    """A run of pages, and which of its items are what."""

    def __init__(self, keg, addr):
        lay = keg.lay
        bits, size = lay.offset("slab.us_bits"), (keg.items + 63) // 64 * 8
        self.keg = keg
        self.addr = addr
        raw = lay.memory.read(addr, bits + 2 * size, "the header of a slab")
        self.run = lay.get(raw, "slab.us_run")
        self.base = lay.get(raw, "slab.us_base")
        self.domain = lay.get(raw, "slab.us_domain")
        if (lay.get(raw, "slab.us_keg") != keg.addr or
                lay.get(raw, "slab.us_items") != keg.items or
                not 0 <= self.base - self.run < keg.slab_size):
            raise Trouble("The header of a slab at %#x is damaged." % addr)
        self.free_bits = raw[bits:bits + size]
        self.ready_bits = raw[bits + size:]

    def item(self, index):
        return self.base + index * self.keg.stride

    def state(self, index, cached):
        if bit_at(self.free_bits, index):
            return "ready" if bit_at(self.ready_bits, index) else "fresh"
        return "cached" if self.item(index) in cached else "out"

    def has(self, addr):
        return self.run <= addr < self.run + self.keg.slab_size

    def index_of(self, addr):
        """The number of the item at an address of the slab; or None."""
        off = addr - self.run
        if self.keg.copies > 1:  # every copy of an item is the item
            off %= self.keg.lay.const("pcpu_stride", 1 << 31)
        off -= self.base - self.run
        index = off // self.keg.stride
        return index if 0 <= index < self.keg.items else None


class Zone:
    """A zone, as it lies in memory."""

    def __init__(self, copy, addr, raw):
        self.copy = copy
        self.lay = copy.lay
        self.addr = addr
        self.raw = raw
        size = min(self.get("zone.uz_name_size"), NAME_MAX)
        at = self.get("zone.uz_name")
        self.bytes = b""
        if size > 0:
            self.bytes = self.lay.memory.read(at, size, "the name of a zone")
        self.bytes = self.bytes.split(b"\0")[0]
        self.name = escape(self.bytes)
        self.item_size = self.get("zone.uz_hot", "hot.size")
        self.keg_addr = self.get("zone.uz_keg")

    def get(self, *names):
        return self.lay.get(self.raw, *names)

    def keg(self):
        return Keg(self.lay, self.keg_addr, self.copy.domains)

    def headers(self):
        """(CPU, bytes) of the header of each."""
        table = self.get("zone.uz_cache", "cache.c_table")
        size = self.lay.size("pcpu")
        if table == 0:
            return
        raw = self.lay.memory.read(table, self.copy.cpus * size,
                                   "the caches of the CPUs")
        for cpu in range(self.copy.cpus):
            yield cpu, raw[cpu * size:(cpu + 1) * size]

    def depots(self):
        """(domain, where it lies in the zone)"""
        for domain in range(self.copy.domains):
            yield domain, self.lay.offset("zone.uz_depot") + \
                domain * self.lay.size("depot")

    # -- items in buckets --

    def cursor_items(self, cursor):
        """Down from a CPU's cursor to the slot that is NULL."""
        memory = self.lay.memory
        most = self.lay.const("bucket_cap_max", 1 << 12)
        if cursor in (0, self.lay.address("cache_dummy_slot")):
            return []
        slots = []
        start = max(cursor + 8 - 8 * most, (cursor & ~(PAGE - 1)))
        while len(slots) < most and cursor >= start:
            raw = memory.read(start, cursor + 8 - start, "a bucket")
            for (slot,) in list(struct.iter_unpack("<Q", raw))[::-1]:
                if slot == 0 or len(slots) == most:
                    return slots
                slots.append(slot)
            cursor = start - 8
            start -= PAGE
        return slots

    def bucket_items(self, bucket):
        lay = self.lay
        raw = lay.memory.read(bucket, lay.size("bucket"), "a bucket")
        cnt = lay.get(raw, "bucket.ub_cnt")
        if cnt > lay.const("bucket_cap_max", 1 << 12):
            raise Trouble("The bucket at %#x is damaged." % bucket)
        raw = lay.memory.read(bucket + lay.offset("bucket.ub_slot") + 8,
                              8 * cnt, "a bucket") if cnt > 0 else b""
        return [slot for (slot,) in struct.iter_unpack("<Q", raw)]

    def list_items(self, head):
        for link in self.lay.list_walk(head, BUCKETS_MAX,
                                       "the list of buckets"):
            yield from self.bucket_items(
                link - self.lay.offset("bucket.ub_link"))

    def cpu_items(self, header):
        items = self.cursor_items(self.lay.get(header, "pcpu.h_cursor"))
        spare = self.lay.get(header, "pcpu.h_spare")
        return items + (self.bucket_items(spare) if spare != 0 else [])

    def cached(self):
        """{item: where it is} of all that are free in buckets."""
        lay, found = self.lay, {}
        for cpu, header in self.headers():
            found.update((item, "in the cache of CPU %d" % cpu)
                         for item in self.cpu_items(header))
        for domain, base in self.depots():
            where = "in the depot of domain %d" % domain
            found.update((item, where) for item in self.list_items(
                self.addr + base + lay.offset("depot.d_full")))
            cross = lay.get(self.raw, "depot.d_cross", base=base)
            if cross != 0:
                found.update((item, where) for item in
                             self.bucket_items(cross))
        found.update((item, "in a bucket that is being drained")
                     for item in self.list_items(
                         self.addr +
                         lay.offset("zone.uz_cache", "cache.c_drained")))
        return found

    # -- numbers: zone/stat.c says what they mean --

    def row(self):
        lay = self.lay
        mask = (1 << lay.const("limit_items_bits", 63)) - 1
        first = 1 << lay.const("header_allocs_bit", 63)
        free = self.get("zone.uz_cache", "cache.c_drained_cnt")
        allocs = self.get("zone.uz_allocs") - \
            self.get("zone.uz_hot", "hot.cache", "seq.over")
        for _, header in self.headers():
            free += len(self.cpu_items(header))
            allocs += lay.get(header, "pcpu.h_allocs") - first
        free += sum(lay.get(self.raw, "depot.d_items", base=base)
                    for _, base in self.depots())
        units = self.get("zone.uz_limit", "limit.l_word") & mask
        most = self.get("zone.uz_limit", "limit.l_max")
        kept = free + self.get("zone.uz_limit", "limit.l_reserved")
        return ZoneRow(
            self.name + ":", self.item_size, 0 if most == mask else most,
            max(units - kept, 0), free + self.keg().free(),
            allocs & (1 << 64) - 1, self.get("zone.uz_fails"),
            self.get("zone.uz_sleeps"), self.get("zone.uz_xdomain"))


class Copy:
    """A copy of the library in the program."""

    def __init__(self, memory, addr):
        self.lay = Layout(memory, addr)
        self.cpus = self.lay.variable("cpu.cpu_cnt", 4, "the CPUs")
        self.domains = self.lay.variable("domain_cnt", 4, "the domains")
        self.zones, self.trouble = [], None
        try:
            for zone in self.walk():
                self.zones.append(zone)
        except Trouble as trouble:
            self.trouble = trouble  # after what can be shown
        self.zones.reverse()  # oldest first

    def walk(self):
        lay = self.lay
        size = None
        for link in lay.list_walk(lay.address("zlist"), ZONES_MAX,
                                  "the list of zones"):
            if not 1 <= self.cpus <= CPUS_MAX or \
                    not 1 <= self.domains <= DOMAINS_MAX:
                raise Trouble("The memory of libuma is damaged: %d CPUs, "
                              "%d domains." % (self.cpus, self.domains))
            if size is None:
                size = lay.size("zone") + self.domains * lay.size("depot")
            addr = link - lay.offset("zone.uz_link")
            yield Zone(self, addr, lay.memory.read(addr, size, "a zone"))

    def page_word(self, addr):
        """What the page map says of an address, and its domain."""
        lay = self.lay
        shift = lay.const("page_shift", 31)
        bits = lay.const("leaf_bits", 40)
        if addr >> lay.const("map_bits", 64):
            return 0, -1
        leaf = lay.memory.number(
            lay.address("pagemap") + (addr >> shift + bits) * 8, 8,
            "the page map")
        if leaf == 0:
            return 0, -1
        index = addr >> shift & (1 << bits) - 1
        chunk = addr // max(lay.const("piece_align", 1 << 31), 1) % \
            max(lay.const("leaf_chunks", 1 << 31), 1)
        word = lay.memory.number(
            leaf + lay.offset("leaf.lf_word") + index * 8, 8, "the page map")
        owner = lay.memory.number(
            leaf + lay.offset("leaf.lf_owner") + chunk, 1, "the page map")
        return word, owner - 1

    def slab_at(self, addr, word):
        """(zone, slab) of an address in use; or None."""
        lay = self.lay
        pointer = word & ~lay.const("pm_tag_mask", 4095)
        tag = word & lay.const("pm_tag_mask", 4095)
        if tag == lay.const("pm_slab", 4095):
            keg = lay.memory.number(pointer + lay.offset("slab.us_keg"), 8,
                                    "the header of a slab")
        elif tag == lay.const("pm_keg", 4095):
            keg = pointer
        else:
            return None
        for zone in self.zones:
            if zone.keg_addr != keg:
                continue
            if tag == lay.const("pm_slab", 4095):
                slabs = [Slab(zone.keg(), pointer)]
            else:
                slabs = zone.keg().slabs()
            for slab in slabs:
                if slab.has(addr):
                    return zone, slab
        return None


def copies():
    """Those that can be understood, or what is wrong with the first."""
    memory, found, wrong = Memory(), [], None
    for addr in layout_addresses(memory):
        try:
            found.append(Copy(memory, addr))
        except Trouble as trouble:
            wrong = wrong or trouble
    if not found:
        raise wrong
    return found


def zone_find(name):
    """By its name, as it is or as it is shown, or by its address."""
    try:
        addr = int(name, 16) if name.startswith("0x") else None
    except ValueError:
        addr = None
    every = copies()
    found = [zone for copy in every for zone in copy.zones
             if zone.addr == addr or zone.name == name or
             zone.bytes == name.encode("utf-8", "surrogateescape")]
    if len(found) > 1:
        raise Trouble("There are %d zones of that name; say which: %s." % (
            len(found), ", ".join("%#x" % zone.addr for zone in found)))
    if found:
        return found[0]
    for copy in every:
        if copy.trouble is not None:
            raise copy.trouble
    raise Trouble("There is no zone '%s'; 'uma zones' shows all."
                  % escape(name.encode("utf-8", "surrogateescape")))


# ---- commands ----


class Uma(gdb.Command):
    """The zones of libuma, a zone allocator: uma(3), uma_gdb(7)."""

    def __init__(self):
        super().__init__("uma", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class UmaCommand(gdb.Command):
    """What all of them do: arguments in, a message if anything is wrong."""

    name = usage = None
    least = most = 0

    def __init__(self):
        super().__init__("uma " + self.name, gdb.COMMAND_DATA)

    def invoke(self, line, from_tty):
        self.dont_repeat()
        try:
            args = self.split(line)
            if not self.least <= len(args) <= self.most:
                raise Trouble("Usage: uma " + self.usage)
            self.run(*args)
        except Trouble as trouble:
            raise gdb.GdbError(str(trouble)) from None
        except (gdb.error, ValueError, OverflowError, MemoryError,
                RuntimeError, struct.error) as error:
            raise gdb.GdbError("uma %s: %s" % (self.name, error)) from None

    def split(self, line):
        return gdb.string_to_argv(line)

    def run(self, *args):
        raise NotImplementedError


class ZoneCommand(UmaCommand):
    """One whose first argument is a zone."""

    def complete(self, text, word):
        try:
            return [zone.name for copy in copies() for zone in copy.zones
                    if zone.name.startswith(text)]
        except (Trouble, gdb.error):
            return []


class UmaZones(UmaCommand):
    """All zones, with the columns of FreeBSD's vmstat -z.

Usage: uma zones

ITEM is the name, SIZE the bytes of an item, LIMIT the most items (0: any
number), USED and FREE items allocated and free, REQ allocations ever, FAIL
those that failed, SLEEP sleeps at the limit, XDOMAIN frees of another NUMA
domain's items."""

    name, usage = "zones", "zones"

    def run(self):
        every = copies()
        for n, copy in enumerate(every):
            if len(every) > 1:
                say("%slibuma %s, copy %d of %d:\n" % (
                    "\n" if n > 0 else "", copy.lay.library, n + 1,
                    len(every)))
            self.table(copy)

    def table(self, copy):
        say("%-20s %7s  %7s %8s %8s %10s %6s %6s %7s\n" % (
            "ITEM", "SIZE", "LIMIT", "USED", "FREE", "REQ", "FAIL", "SLEEP",
            "XDOMAIN"))
        for zone in copy.zones:
            try:
                say("%-20s %7d, %7d,%8d,%8d,%10d,%6d,%6d,%7d" % zone.row())
            except Trouble as trouble:
                say("%-20s %s" % (zone.name + ":", trouble))
        if copy.trouble is not None:
            raise copy.trouble


class UmaWhatis(UmaCommand):
    """What an address is to libuma.

Usage: uma whatis ADDRESS

ADDRESS is any expression.  Shows the zone, the item and its number, whether it
is allocated or free and where, and the slab."""

    name, usage = "whatis", "whatis ADDRESS"
    least = most = 1

    def split(self, line):
        return [line] if line.strip() else []

    def run(self, text):
        addr = int(gdb.parse_and_eval(text).cast(
            gdb.lookup_type("unsigned long"))) & (1 << 64) - 1
        trouble = None
        for copy in copies():
            word, domain = copy.page_word(addr)
            if word == 0 and domain < 0:
                continue
            found = copy.slab_at(addr, word)
            if found is not None:
                self.say_slab(addr, *found)
            elif copy.trouble is not None:
                trouble = copy.trouble
                continue
            elif word & copy.lay.const("pm_tag_mask", 4095) == \
                    copy.lay.const("pm_meta", 4095):
                say("%#x: of libuma's own books" % addr)
            else:
                say("%#x: libuma's memory, of no zone" % addr)
            return
        if trouble is not None:
            raise trouble
        say("%#x: not of libuma's memory" % addr)

    @staticmethod
    def say_slab(addr, zone, slab):
        index = slab.index_of(addr)
        if index is None:
            say("%#x: no item; zone '%s' (%#x)" % (addr, zone.name, zone.addr))
        else:
            item = slab.item(index)
            cached = zone.cached()
            state = slab.state(index, cached)
            text = {"out": "allocated", "ready": "free, ready",
                    "fresh": "free, fresh"}.get(state)
            say("%#x: item %d at %#x, %s; zone '%s' (%#x), %d bytes" % (
                addr, index, item,
                text or "free, " + cached[item],
                zone.name, zone.addr, zone.item_size))
        say("  slab %#x of %d bytes and %d items, header %#x, domain %d" % (
            slab.run, slab.keg.slab_size, slab.keg.items, slab.addr,
            slab.domain))


class UmaWalk(ZoneCommand):
    """Each allocated item of a zone, by address.

Usage: uma walk ZONE [TYPE]

ZONE is a zone's name, in quotes if it has blanks, or its address.  With a TYPE,
such as struct conn, each is printed as one."""

    name, usage = "walk", "walk ZONE [TYPE]"
    least, most = 1, 8

    def run(self, name, *words):
        zone = zone_find(name)
        kind = self.type_find(zone, " ".join(words)) if words else None
        cached = zone.cached()
        cnt = 0
        for slab in zone.keg().slabs():
            for index in range(slab.keg.items):
                if slab.state(index, cached) == "out":
                    cnt += 1
                    self.say_item(slab.item(index), kind)
        say("%d item%s allocated." % (cnt, "" if cnt == 1 else "s"))

    @staticmethod
    def type_find(zone, text):
        kind = gdb.lookup_type(text)
        if kind.sizeof > zone.item_size:
            raise Trouble("%s has %d bytes, and an item of '%s' %d."
                          % (text, kind.sizeof, zone.name, zone.item_size))
        return kind

    @staticmethod
    def say_item(addr, kind):
        if kind is None:
            say("%#x" % addr)
            return
        try:
            value = gdb.Value(addr).cast(kind.pointer()).dereference()
            text = value.format_string()
        except gdb.error as error:
            text = "<%s>" % error
        say("%#x = %s" % (addr, text))


class UmaSlabs(ZoneCommand):
    """The slabs of a zone by address, and what their items are.

Usage: uma slabs ZONE

OUT are allocated, CACHED free in a bucket, READY free in the slab, FRESH the
same and without an init."""

    name, usage = "slabs", "slabs ZONE"
    least = most = 1

    def run(self, name):
        zone = zone_find(name)
        cached = zone.cached()
        states = "out", "cached", "ready", "fresh"
        say("%-18s %6s %7s %7s %7s %7s %7s\n" % (
            "SLAB", "DOMAIN", "ITEMS", "OUT", "CACHED", "READY", "FRESH"))
        for slab in zone.keg().slabs():
            cnt = collections.Counter(slab.state(index, cached)
                                      for index in range(slab.keg.items))
            say("%#-18x %6d %7d %7d %7d %7d %7d" % (
                slab.run, slab.domain, slab.keg.items,
                *(cnt[state] for state in states)))


Uma()
for command in (UmaZones, UmaWhatis, UmaWalk, UmaSlabs):
    command()

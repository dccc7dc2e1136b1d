# SPDX-License-Identifier: BSD-2-Clause
#
# The whole build of libuma.  Two commands are enough to meet it:
#
#   make demo     build, install into a stage, run examples/ on real data
#   make check    the tests: every one with and without restartable sequences
#
# all (the default), examples, check-all, lint, stress, bench, install,
# uninstall, dist, deps, deps-all and clean are the other targets.  Knobs:
# CC CFLAGS LDFLAGS, PREFIX BINDIR LIBDIR INCLUDEDIR MANDIR GDBDIR DESTDIR,
# DEBUG=1|2, SAN=address,undefined|thread, USDT=auto|yes|no (static probes:
# where sys/sdt.h is, insist on it, none), V=1 (show commands), O= (where to
# build), DEPS=no (never look for missing packages, never install one), RERUN=no
# (check without the second run).

VERSION := $(shell sed -n 's/.*UMA_VERSION_STRING "\(.*\)"/\1/p' include/uma.h)
SONAME  := libuma.so.$(firstword $(subst ., ,$(VERSION)))
SOFILE  := libuma.so.$(VERSION)

# What is installed is written down here, never collected by a wildcard.
HEADERS = uma.h uma/control.h uma/debug.h uma/inline.h uma/reclaim.h uma/seq.h \
	uma/seq_aarch64.h uma/seq_x86_64.h uma/stat.h uma/stream.h \
	uma/sysctl.h uma/wait.h uma/watermark.h uma/whatis.h
OVERLAY = sys/malloc.h sys/param.h sys/queue.h sys/sysctl.h vm/uma.h
MAN3    = uma.3 uma_control.3 uma_debug.3 uma_find_refcnt.3 uma_inline.3 \
	uma_pressure_fd.3 uma_reclaim.3 uma_reclaim_tick.3 uma_set_limit.3 \
	uma_stat.3 uma_stats.3 uma_sysctl.3 uma_sysctl_add.3 uma_version.3 \
	uma_whatis.3 uma_zalloc.3 uma_zalloc_bulk.3 uma_zalloc_domain.3 \
	uma_zcreate.3 uma_zone_set_max.3 uma_zone_set_watermark.3 \
	uma_zone_wait.3 zpcpu_get.3
MAN7    = uma_gdb.7 uma_probes.7
MAN8    = umactl.8 umastat.8
TOOLS   = umactl umastat

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
# Below here gdb looks for what belongs to a library, under its whole path.
GDBDIR     ?= $(PREFIX)/share/gdb/auto-load
DOCDIR     ?= $(PREFIX)/share/doc/libuma

CFLAGS  ?= -O2 -g
OBJCOPY ?= objcopy
comma   := ,

# Each variant builds in a directory of its own.
O ?= build$(if $(DEBUG),-debug$(DEBUG))$(if $(SAN),-$(firstword \
	$(subst $(comma), ,$(SAN))))
STAGE = $(abspath $(O))/stage

SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer)
USDT     ?= auto
USDT_yes  = -DUMA_PROBES=1
USDT_no   = -DUMA_PROBES=0
$(if $(filter auto yes no,$(USDT)),,$(error USDT=$(USDT): auto, yes or no))

WARN  = -Wall -Wextra -Wshadow -Wstrict-prototypes
FLAGS = -std=gnu11 $(WARN) -fPIC -fvisibility=hidden -MMD -MP $(SANFLAGS) \
	$(if $(DEBUG),-DUMA_DEBUG=$(DEBUG)) $(USDT_$(USDT)) $(CPPFLAGS) $(CFLAGS) -fno-lto

# The include path is the layering: a folder sees only those it may use.
INC_pages    = -Iinclude -Ipages
INC_percpu   = -Iinclude -Ipages -Ipercpu
INC_slab     = -Iinclude -Ipages -Islab
INC_zone     = -Iinclude -Ipages -Ipercpu -Islab -Izone
INC_test     = -Iinclude
INC_tools    = -Iinclude -Itools
FOLDERS      = pages percpu slab zone

# libnuma, where its header is.  Our references to it are weak, so the linker has
# to be told to keep it.
have_numa = $(shell $(CC) $(CPPFLAGS) $(CFLAGS) -E -include numa.h -xc \
	/dev/null >/dev/null 2>&1 && echo yes)
NUMA = $(if $(have_numa),-Wl$(comma)--push-state$(comma)--no-as-needed -lnuma \
	-Wl$(comma)--pop-state)

sources   = $(patsubst %.c,$(O)/%,$(wildcard $(1)))
OBJS     := $(addsuffix .o,$(call sources,$(FOLDERS:%=%/*.c)))
TESTS    := $(call sources,test/test_*.c)
STRESS   := $(call sources,test/stress_*.c)
EXAMPLES := $(sort $(call sources,examples/*.c) $(patsubst \
	examples/%/,$(O)/examples/%,$(dir $(wildcard examples/*/*.c))))
TORTURE  := $(addprefix $(O)/test/,test_int_torture stress_torture)
INTERNAL := $(filter-out $(TORTURE),$(filter $(O)/test/test_int_%,$(TESTS)))
PUBLIC   := $(filter-out $(INTERNAL) $(TORTURE),$(TESTS) $(STRESS))
LIBS     := $(O)/libuma.a $(O)/$(SOFILE)
PROGRAMS := $(TOOLS:%=$(O)/tools/%)

# One goal is built on all CPUs; of several, each waits for the one before.
ifeq ($(MAKELEVEL)$(word 2,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# Goals for people first install what is missing; `all` and `install`, which
# packagers call, never do.
GATE := $(if $(filter check-all lint,$(MAKECMDGOALS)),deps-all,\
	$(if $(filter demo check examples stress bench,$(MAKECMDGOALS)),deps))

say = @$(if $(V),:,printf '  %-5s %s\n' $(1) $(patsubst $(O)/%,%,$@))
Q  := $(if $(V),,@)

.PHONY: all demo check check-all lint stress bench examples install \
	uninstall dist deps deps-all clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(LIBS) $(PROGRAMS)

# ---- the library ----

# What the last build was made with and of; new when this one differs.
$(O)/.flags: export NOW = $(CC) $(FLAGS) $(LDFLAGS) $(NUMA)
$(O)/.files: export NOW = $(OBJS)
$(O)/.flags $(O)/.files: FORCE $(GATE)
	@mkdir -p $(@D)
	@printf '%s\n' "$$NOW" | cmp -s - $@ || printf '%s\n' "$$NOW" >$@

$(O)/test/test_int_%.o: INC_test = $(INC_zone)
$(O)/%.o: %.c $(O)/.flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(INC_$(patsubst %/,%,$(dir $*))) -c -o $@ $<

# One object whose hidden names are local, so that a program may use them too;
# but for the mark by which all probes of a file find their addresses, of which
# the linker keeps one.
$(O)/libuma.o: $(OBJS) $(O)/.files
	$(call say,LD)
	$(Q)$(LD) -r -o $@ $(OBJS) && $(OBJCOPY) --localize-hidden $@ && \
		$(OBJCOPY) --globalize-symbol=_.stapsdt.base $@

$(O)/libuma.a: $(O)/libuma.o
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# nodelete: a thread's rseq area may point into us after a dlclose.  The
# sanitizers leave names for the program to define, hence no -z defs there.
$(O)/$(SOFILE): $(OBJS) $(O)/.files zone/libuma.map
	$(call say,LD)
	$(Q)$(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -fno-lto -shared -o $@ \
		$(OBJS) -Wl,-soname,$(SONAME) \
		-Wl,--version-script=zone/libuma.map -Wl,-z,nodelete \
		$(if $(SAN),,-Wl$(comma)-z$(comma)defs) $(NUMA)
	$(Q)ln -sf $(SOFILE) $(O)/$(SONAME) && ln -sf $(SONAME) $(O)/libuma.so

# ---- the tools ----

# A program is the file of its name, and whatever else is in the folder.
PARTS := $(filter-out $(PROGRAMS:=.o),$(addsuffix .o,$(call sources,tools/*.c)))
$(PROGRAMS): %: %.o $(PARTS) $(O)/libuma.a
	$(call say,LD)
	$(Q)$(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -pthread $(NUMA)

# ---- tests and examples ----

link = $(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
	$$(pkg-config --libs check) -pthread $(NUMA)

# Tests of the reader have what the tools have.
READERS := $(filter $(O)/test/test_reader%,$(PUBLIC))
$(READERS) $(O)/test/test_int_reader: $(PARTS)
$(READERS:=.o): INC_test = $(INC_tools)
$(O)/test/test_int_reader.o: INC_test = $(INC_zone) -Itools

# The archive shows a test what it shows a user; test_int_* see everything.
$(PUBLIC): %: %.o $(O)/libuma.a
	$(call say,LD)
	$(Q)$(link)
$(INTERNAL): %: %.o $(OBJS)
	$(call say,LD)
	$(Q)$(link)

# This one sees the parts of the tools.
$(O)/test/test_umastat_ui.o: INC_test = $(INC_tools)
$(O)/test/test_umastat_ui: $(PARTS)

# Modules that test_plugin loads: with hits by call, and inlined, both on the
# shared library; with the archive inside; one that leaves descriptors behind; a
# library that has nothing but the name; and nodes for test_sysctl_nodes.
MODULES := $(addprefix $(O)/test/plugin/,library.so inline.so archive.so \
	stale.so stub.so \
	nodes.so)
MODFLAGS_inline  = -DPLUGIN_INLINE
MODFLAGS_archive = -DPLUGIN_INLINE
MODFLAGS_stale   = -DPLUGIN_INLINE -DUMA_SEQ_MODULE_STAYS
MODLIBS          = $(O)/$(SOFILE) -Wl,-rpath,$(abspath $(O))
$(O)/test/plugin/archive.so: MODLIBS = $(O)/libuma.a
$(O)/test/plugin/stub.so: MODLIBS = -Wl,-soname,$(SONAME) \
	-Wl,--version-script=zone/libuma.map
$(O)/test/plugin/stub.so: test/plugin/stub.c
$(O)/test/plugin/nodes.so: test/plugin/nodes.c
$(filter-out %/stub.so %/nodes.so,$(MODULES)): test/plugin/plugin.c
$(MODULES): $(LIBS) $(O)/.flags
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(MODFLAGS_$(basename $(@F))) $(INC_test) \
		$(LDFLAGS) -MF $(@:.so=.d) -MT $@ -shared -Wl,-z,lazy -o $@ \
		$(filter %.c,$^) $(MODLIBS) -pthread
$(O)/test/test_plugin: $(MODULES)
$(O)/test/test_sysctl_nodes: $(O)/test/plugin/nodes.so
$(O)/test/test_umactl: | $(O)/tools/umactl

# What test_reader looks into: a program on the shared library, with the archive
# inside, of which one is stripped, and a plugin with the archive inside.
FILLERS := $(addprefix $(O)/test/reader/,shared archive stripped plugin.so \
	$(if $(SAN),,static))
FILLER_shared    = $(MODLIBS)
FILLER_archive   = -fPIE -pie $(O)/libuma.a
FILLER_stripped  = -s $(FILLER_archive)
FILLER_static    = -static -DFILLER_ALONE $(O)/libuma.a
FILLER_plugin.so = -shared -DFILLER_PLUGIN $(O)/libuma.a \
	-Wl,--exclude-libs,ALL
$(FILLERS): test/reader/filler.c $(LIBS) $(O)/.flags
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(INC_test) $(LDFLAGS) -MF $@.d -MT $@ -o $@ \
		test/reader/filler.c $(FILLER_$(@F)) -pthread
$(READERS): $(FILLERS)

# The torture programs have a library of their own, which counts its aborts.
TOBJS := $(OBJS:$(O)/%=$(O)/torture/%)
$(O)/test/stress_torture.o: INC_test = $(INC_zone)
$(TOBJS): $(O)/torture/%.o: %.c $(O)/.flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(INC_$(patsubst %/,%,$(dir $*))) \
		-include test/torture_seq.h -c -o $@ $<
$(TORTURE): %: %.o $(TOBJS)
	$(call say,LD)
	$(Q)$(link)

# Examples are what a user would write, against the installed library only: a
# file each, or a folder.
$(O)/stage/.done: $(LIBS) $(PROGRAMS) $(HEADERS:%=include/%) \
		$(MAN3:%=man/%) $(MAN7:%=man/%) $(MAN8:%=man/%) \
		$(OVERLAY:%=include/overlay/%) tools/libuma-gdb.py Makefile
	$(call say,STAGE)
	@rm -rf $(STAGE)
	@$(MAKE) --no-print-directory install DESTDIR= PREFIX=$(STAGE) \
		LIBDIR=$(STAGE)/lib INCLUDEDIR=$(STAGE)/include \
		BINDIR=$(STAGE)/bin MANDIR=$(STAGE)/share/man \
		GDBDIR=$(STAGE)/share/gdb/auto-load DOCDIR=$(STAGE)/share/doc/libuma
	@touch $@

.SECONDEXPANSION:
$(EXAMPLES): $(O)/examples/%: $(O)/stage/.done \
		$$(wildcard examples/$$*.c examples/$$*/*.[ch])
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)PKG_CONFIG_PATH=$(STAGE)/lib/pkgconfig; export PKG_CONFIG_PATH; \
	$(CC) -std=gnu11 $(WARN) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ \
		$(filter %.c,$^) $$(pkg-config --cflags --libs libuma) \
		-pthread -Wl,-rpath,$(STAGE)/lib

examples: $(EXAMPLES)

demo: $(EXAMPLES)
	@sh examples/demo.sh $(O)/examples

run = CC='$(CC)' MAKE='$(MAKE)' O='$(O)' SAN='$(SAN)' \
	DEBUG='$(DEBUG)' STAGE='$(STAGE)' sh test/$(1)

check: $(TESTS) $(PROGRAMS) $(EXAMPLES) $(O)/stage/.done
	@RERUN='$(RERUN)' $(call run,suite.sh) $(TESTS)

# A variant that does not even build leaves no total, which counts as failed.
variant = rm -f $(O)-$(1)/log/total; $(MAKE) --no-print-directory check \
	O=$(O)-$(1) DEPS=no RERUN=no $(2)

check-all: deps-all
	-+@$(call variant,debug2,DEBUG=2)
	-+@$(call variant,address,DEBUG=1 SAN=address$(comma)undefined)
	-+@$(call variant,thread,DEBUG=1 SAN=thread)
	-+@rm -f $(O)/log/total-lint; $(MAKE) --no-print-directory lint DEPS=no
	@sh test/total.sh $(O)-debug2/log/total $(O)-address/log/total \
		$(O)-thread/log/total $(O)/log/total-lint >$(O)/log/all; \
		rc=$$?; cat $(O)/log/all; exit $$rc

lint: all $(O)/stage/.done
	@$(foreach f,$(FOLDERS),INC_$f='$(INC_$f)' )FOLDERS='$(FOLDERS)' \
	HEADERS='$(HEADERS)' OVERLAY='$(OVERLAY)' MAN3='$(MAN3)' OBJS='$(OBJS)' WARN='$(WARN)' \
	$(call run,lint.sh)

stress: $(STRESS)
	@for t in $^; do $$t || exit 1; done

bench: $(LIBS)
	@CC='$(CC)' CFLAGS='$(CFLAGS)' O='$(O)' sh test/bench/run.sh

# ---- installing ----

define PC
prefix=$(PREFIX)
libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))
includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))

Name: libuma
Description: Zone allocator: FreeBSD's uma(9) for programs
Version: $(VERSION)
Libs: -L$${libdir} -luma
Libs.private: -pthread$(if $(have_numa), -lnuma)
Cflags: -I$${includedir}
endef

# FreeBSD's header names, some of which are the C library's too: apart.
define PC_FREEBSD
prefix=$(PREFIX)
includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))

Name: libuma-freebsd
Description: Zone allocator: headers under FreeBSD's names
Version: $(VERSION)
Requires: libuma
Cflags: -I$${includedir}/libuma-freebsd
endef

# For CMake's find_package(libuma CONFIG).  Its paths begin where it lies, so the
# tree may be moved; but for a LIBDIR or INCLUDEDIR outside of PREFIX.
up = $(subst ./ ,./,$(addsuffix /,$(patsubst %,..,$(subst /, ,$(1)))))
cmake_path = $(patsubst $(PREFIX)/%,$${_libuma_prefix}/%,$(1))

define CMAKE
get_filename_component(_libuma_prefix "$${CMAKE_CURRENT_LIST_DIR}" REALPATH)
get_filename_component(_libuma_prefix
  "$(if $(filter $(PREFIX)/%,$(LIBDIR)),$${_libuma_prefix}/../../$(call \
	up,$(LIBDIR:$(PREFIX)/%=%)),$(PREFIX))" ABSOLUTE)
set(_libuma_libdir "$(call cmake_path,$(LIBDIR))")
set(_libuma_include "$(call cmake_path,$(INCLUDEDIR))")
if(NOT TARGET libuma::libuma)
  add_library(libuma::libuma SHARED IMPORTED)
  set_target_properties(libuma::libuma PROPERTIES
    IMPORTED_LOCATION "$${_libuma_libdir}/$(SOFILE)"
    IMPORTED_SONAME "$(SONAME)"
    INTERFACE_INCLUDE_DIRECTORIES "$${_libuma_include}")
  add_library(libuma::freebsd INTERFACE IMPORTED)
  set_target_properties(libuma::freebsd PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "$${_libuma_include}/libuma-freebsd"
    INTERFACE_LINK_LIBRARIES libuma::libuma)
endif()
if(NOT TARGET libuma::static AND EXISTS "$${_libuma_libdir}/libuma.a")
  add_library(libuma::static STATIC IMPORTED)
  set_target_properties(libuma::static PROPERTIES
    IMPORTED_LOCATION "$${_libuma_libdir}/libuma.a"
    INTERFACE_INCLUDE_DIRECTORIES "$${_libuma_include}"
    INTERFACE_LINK_LIBRARIES "-pthread$(if $(have_numa),;$(NUMA))")
endif()
unset(_libuma_prefix)
unset(_libuma_libdir)
unset(_libuma_include)
endef

# What suits who asks for a version: uma_version(3).  Before 1, only the same,
# as far as it was named; from there on, what is not older and has the same
# major version.  A range is the word of who asks.
define CMAKE_VERSION
set(PACKAGE_VERSION "$(VERSION)")
set(PACKAGE_VERSION_COMPATIBLE FALSE)
set(PACKAGE_VERSION_EXACT FALSE)
if(PACKAGE_FIND_VERSION_RANGE)
  if(NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION_MIN AND
      (PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION_MAX OR
      (PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION_MAX AND
      PACKAGE_FIND_VERSION_RANGE_MAX STREQUAL "INCLUDE")))
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
  endif()
elseif(PACKAGE_VERSION VERSION_LESS 1)
  string(FIND "$${PACKAGE_VERSION}." "$${PACKAGE_FIND_VERSION}." _libuma_at)
  if(_libuma_at EQUAL 0)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
  endif()
  unset(_libuma_at)
elseif(PACKAGE_FIND_VERSION_MAJOR EQUAL $(firstword $(subst ., ,$(VERSION))) AND
    NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
endef

# "NAME PAGE" for each name in the NAME section of a page.
man_names = cd man && awk '/^\.Sh/ { on = $$2 == "NAME" } \
	on && $$1 == ".Nm" { print $$2, FILENAME }' $(MAN3)

install uninstall: export PC := $(PC)
install uninstall: export PC_FREEBSD := $(PC_FREEBSD)
install uninstall: export CMAKE := $(CMAKE)
install uninstall: export CMAKE_VERSION := $(CMAKE_VERSION)
install uninstall: inc = "$(DESTDIR)$(INCLUDEDIR)"
install uninstall: ovl = "$(DESTDIR)$(INCLUDEDIR)"/libuma-freebsd
install uninstall: lib = "$(DESTDIR)$(LIBDIR)"
install uninstall: cmake = "$(DESTDIR)$(LIBDIR)"/cmake/libuma
install uninstall: bin = "$(DESTDIR)$(BINDIR)"
install uninstall: man = "$(DESTDIR)$(MANDIR)/man3"
install uninstall: man7 = "$(DESTDIR)$(MANDIR)/man7"
install uninstall: gdb = "$(DESTDIR)$(GDBDIR)$(LIBDIR)"
install uninstall: man8 = "$(DESTDIR)$(MANDIR)/man8"
install uninstall: doc = "$(DESTDIR)$(DOCDIR)"

install: all
	@mkdir -p $(inc)/uma $(ovl)/sys $(ovl)/vm $(lib)/pkgconfig $(cmake) \
		$(bin) $(man) $(man7) $(man8) $(gdb) $(doc)
	$(Q)$(foreach h,$(HEADERS),install -m 644 include/$h $(inc)/$h &&) :
	$(Q)$(foreach h,$(OVERLAY),install -m 644 include/overlay/$h \
		$(ovl)/$h &&) :
	$(Q)install -m 644 $(O)/libuma.a $(lib)
	$(Q)install -m 755 $(O)/$(SOFILE) $(lib)
	$(Q)ln -sf $(SOFILE) $(lib)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(lib)/libuma.so
	$(Q)printf '%s\n' "$$PC" >$(lib)/pkgconfig/libuma.pc
	$(Q)printf '%s\n' "$$PC_FREEBSD" >$(lib)/pkgconfig/libuma-freebsd.pc
	$(Q)printf '%s\n' "$$CMAKE" >$(cmake)/libuma-config.cmake
	$(Q)printf '%s\n' "$$CMAKE_VERSION" >$(cmake)/libuma-config-version.cmake
	$(Q)install -m 755 $(PROGRAMS) $(bin)
	$(Q)install -m 644 tools/libuma-gdb.py $(gdb)/$(SOFILE)-gdb.py
	$(Q)install -m 644 $(MAN7:%=man/%) $(man7)
	$(Q)install -m 644 $(MAN8:%=man/%) $(man8)
	$(Q)install -m 644 $(MAN3:%=man/%) $(man)
	$(Q)$(man_names) | while read -r name page; do \
		[ $$name.3 = $$page ] || \
		echo ".so man3/$$page" >$(man)/$$name.3 || exit; done
	$(Q)install -m 644 LICENSE $(doc)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig || :

uninstall:
	$(Q)rm -f $(HEADERS:%=$(inc)/%) $(OVERLAY:%=$(ovl)/%) \
		$(addprefix $(lib)/pkgconfig/,libuma.pc libuma-freebsd.pc) \
		$(addprefix $(cmake)/libuma-config,.cmake -version.cmake) \
		$(addprefix $(lib)/,libuma.a libuma.so $(SONAME) $(SOFILE)) \
		$(TOOLS:%=$(bin)/%) $(MAN7:%=$(man7)/%) $(MAN8:%=$(man8)/%) \
		$(gdb)/$(SOFILE)-gdb.py \
		$(MAN3:%=$(man)/%) $(doc)/LICENSE
	$(Q)$(man_names) | while read -r name _; do \
		rm -f $(man)/$$name.3; done
	$(Q)rmdir $(inc)/uma $(ovl)/sys $(ovl)/vm $(ovl) $(doc) \
		$(cmake) 2>/dev/null || :
	$(Q)cd "$(DESTDIR)$(GDBDIR)" 2>/dev/null && \
		rmdir -p ".$(LIBDIR)" 2>/dev/null || :

dist:
	@mkdir -p $(O)
	git archive --prefix=libuma-$(VERSION)/ -o $(O)/libuma-$(VERSION).tar.gz HEAD

# ---- housekeeping ----

deps deps-all:
	@$(if $(filter no,$(DEPS)),:,CC='$(CC)' sh test/deps.sh $@)

clean:
	rm -rf build build-*

-include $(OBJS:.o=.d) $(TOBJS:.o=.d) \
	$(addsuffix .d,$(TESTS) $(STRESS)) \
	$(patsubst %,%.d,$(call sources,tools/*.c)) \
	$(MODULES:.so=.d) $(FILLERS:=.d)

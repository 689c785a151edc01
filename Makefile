# knowd. Targets: make help
# One object folder a variant: build/VARIANT/; variants are release, debug,
# asan (address, undefined, leak), tsan, clang, cov.

VARIANT ?= release
B := build/$(VARIANT)

LIBS_PC := libmicrohttpd libcurl sqlite3 jansson libcmark-gfm libutf8proc \
	libsodium libcrypto libzstd expat zlib gumbo libidn2
LIBS_PLAIN := -lcmark-gfm-extensions -lstemmer -lm -pthread

WARN := -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wundef -Wvla -Walloca -Wcast-qual -Wcast-align \
	-Wwrite-strings -Wformat=2 -Wnull-dereference -Wdouble-promotion \
	-Wswitch-enum -Wimplicit-fallthrough -Werror
WARN_gcc := -Wduplicated-cond -Wduplicated-branches -Wlogical-op \
	-Wjump-misses-init
WARN_clang := -Wcomma -Wconditional-uninitialized -Wunreachable-code
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection -fPIE
LINK_HARDEN := -pie -Wl,-z,relro,-z,now
NUMBERS := -ffp-contract=off -fno-strict-aliasing

CC_release := gcc
CC_debug := gcc
CC_asan := clang-14
CC_tsan := clang-14
CC_clang := clang-14
CC_fuzz := clang-14
CC_cov := gcc
OPT_release := -O3 -g $(HARDEN)
OPT_debug := -O0 -g3 -DSLOW_CHECKS -fPIE
OPT_asan := -O1 -g -DSLOW_CHECKS -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fPIE
OPT_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -fPIE
OPT_clang := -O2 -g -fPIE
OPT_fuzz := -O1 -g -DSLOW_CHECKS -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
OPT_cov := -O0 -g --coverage -fPIE
# Sanitizers instrument every unrolled access: there the compiler takes minutes.
OPT_KERNELS := $(if $(filter release clang bench,$(VARIANT)),-O3)
# The undefined sanitizer's tests at each lane make of a file of intrinsics a
# minute of compiling; the scalar kernels run the same steps under it.
VECTORS_asan := -fno-sanitize=undefined
VECTORS_fuzz := -fno-sanitize=undefined
LINK_release := $(LINK_HARDEN)
LINK_debug := -pie
LINK_asan := -fsanitize=address,undefined -pie
LINK_tsan := -fsanitize=thread -pie
LINK_clang := -pie
LINK_fuzz := -fsanitize=fuzzer,address,undefined
LINK_cov := --coverage -pie

CC := $(CC_$(VARIANT))
# A failed assertion leaves a test by longjmp, which clang does not follow.
TEST_WARN_OFF := $(if $(findstring clang,$(CC)),-Wno-conditional-uninitialized)
VERSION := 0.1.0
CPPFLAGS := -Isrc -DKNOWD_VERSION='"$(VERSION)"' \
	$(shell pkg-config --cflags $(LIBS_PC) | sed 's/-I\//-isystem \//g')
CFLAGS := $(WARN) $(WARN_$(if $(findstring clang,$(CC)),clang,gcc)) \
	$(NUMBERS) $(OPT_$(VARIANT))
LDLIBS := $(shell pkg-config --libs $(LIBS_PC)) $(LIBS_PLAIN)

SRC := $(wildcard src/*/*.c)
OBJ := $(SRC:src/%.c=$(B)/%.o)
TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
REPLAYS := $(patsubst tests/fuzz/%.c,$(B)/replay/%,$(wildcard tests/fuzz/fuzz_*.c))
LINTED := $(SRC:src/%.c=build/lint/%.ok) build/lint/main.ok
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/bin/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all help debug asan tsan valgrind unit neon check lint lint-quick lint-files layers \
	format fuzz fuzzers fuzz-replay replay cov bench clean install dist
all: $(B)/knowd

debug:
	$(MAKE) VARIANT=debug
$(B)/knowd: $(B)/main.o $(B)/libknowd.a
	@echo "ld $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LDLIBS)
# Made afresh, so that objects of deleted sources don't stay inside.
$(B)/libknowd.a: $(OBJ)
	@rm -f $@ && ar rcs $@ $^
$(B)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(findstring kernels_,$<),$(OPT_KERNELS)) \
		$(if $(findstring kernels_a,$<),$(VECTORS_$(VARIANT))) -MMD -MP -c -o $@ $<
$(B)/tests/%: tests/unit/%.c $(B)/libknowd.a
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(TEST_WARN_OFF) -MMD -MP -MF $@.d $(LINK_$(VARIANT)) -o $@ $< $(B)/libknowd.a -lcmocka $(LDLIBS)

# Programs that tests in Python ask about one module.
$(B)/drivers/%: tests/drivers/%.c $(B)/libknowd.a
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(LINK_$(VARIANT)) -o $@ $< $(B)/libknowd.a $(LDLIBS)

unit: $(TESTS)
	@scripts/run-unit.sh $(TESTS)
# The inner loop; its last line is the sum of its parts.
check: $(B)/knowd
	+@scripts/total.sh lint-quick unit neon fuzz-replay
# Kernels of ARM under qemu; skipped where the cross compiler is not installed.
neon:
	@scripts/neon.sh
asan:
	$(MAKE) VARIANT=asan unit
tsan:
	$(MAKE) VARIANT=tsan unit
valgrind: $(TESTS)
	@UNIT_RUNNER="valgrind -q --error-exitcode=99 --leak-check=full" \
		UNIT_SECONDS=1200 scripts/run-unit.sh $(TESTS)
cov:
	rm -rf build/cov/report && find build/cov -name '*.gcda' -delete 2>/dev/null || true
	$(MAKE) VARIANT=cov unit
	@mkdir -p build/cov/report
	gcovr -r . --object-directory build/cov -f src/ --print-summary \
		--html-details build/cov/report/index.html

build/fuzz/bin/%: tests/fuzz/%.c build/fuzz/libknowd.a
	@mkdir -p $(@D)
	clang-14 $(CPPFLAGS) -std=c17 -D_GNU_SOURCE $(OPT_fuzz) $(LINK_fuzz) -o $@ $< build/fuzz/libknowd.a $(LDLIBS)
.PHONY: FORCE
FORCE:
ifneq ($(VARIANT),fuzz)
build/fuzz/libknowd.a: FORCE
	+@$(MAKE) VARIANT=fuzz $@
endif
fuzzers: $(FUZZERS)
fuzz: $(FUZZERS)
	@scripts/fuzz.sh $(or $(T),60) $(FUZZERS)
# Each fuzz target once over its corpus, without libFuzzer.
fuzz-replay:
	+@$(MAKE) VARIANT=asan replay
replay: $(REPLAYS)
	@scripts/fuzz-replay.sh $(REPLAYS)
$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay_main.c $(B)/libknowd.a
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes $(LINK_$(VARIANT)) \
		-o $@ $< tests/fuzz/replay_main.c $(B)/libknowd.a $(LDLIBS)

# A row is bench/ROW.c (on the release library, beside the peers it names here)
# or bench/ROW.py (on the release server). Figures go to docs/performance.md by
# hand, with their command.
BENCH := build/bench/bin
PYTHON ?= python3
BENCH_PEERS_words := $(BENCH)/peer_fts5.o $(BENCH)/peer_xapian.o
BENCH_LIBS_words := -lxapian -lstdc++
BENCH_CORPUS := words ingest html web
# What a row in Python asks of a program of its own.
BENCH_DRIVER_vectors := $(BENCH)/vec_driver
BENCH_DRIVER_wordpiece := $(BENCH)/wordpiece_driver
BENCH_DRIVER_embed := $(BENCH)/embed_driver $(BENCH)/cpuid_mask.so
$(BENCH)/%.so: bench/%.c
	@mkdir -p $(@D)
	@gcc $(WARN) -O2 -fPIC -shared -o $@ $<
$(BENCH)/%.o: bench/%.c bench/peers.h
	@mkdir -p $(@D)
	@gcc $(CPPFLAGS) $(WARN) $(OPT_release) -c -o $@ $<
$(BENCH)/%.o: bench/%.cc bench/peers.h
	@mkdir -p $(@D)
	@g++ -std=c++17 -Wall -Wextra -Werror $(OPT_release) -c -o $@ $<
$(BENCH)/%: bench/%.c build/release/libknowd.a $(BENCH_PEERS_$(ROW))
	@mkdir -p $(@D)
	@gcc $(CPPFLAGS) $(WARN) $(OPT_release) $(LINK_release) -o $@ $< \
		$(BENCH_PEERS_$(ROW)) build/release/libknowd.a $(LDLIBS) \
		$(BENCH_LIBS_$(ROW))
bench: $(if $(wildcard bench/$(ROW).c),$(BENCH)/$(ROW),build/release/knowd) \
	$(BENCH_DRIVER_$(ROW))
	@$(if $(filter $(ROW),$(BENCH_CORPUS)),bench/corpus.sh)
	@$(if $(wildcard bench/$(ROW).c),$<,$(PYTHON) bench/$(ROW).py) $(ARGS)

lint-quick:
	@scripts/lint-quick.sh
# The slow checks leave a stamp a file, so that only what changed runs again.
lint: lint-quick lint-files
	@echo "lint: nothing found"
lint-files: $(LINTED) build/lint/cppcheck
build/lint/%.ok: src/%.c $(wildcard src/*/*.h) .clang-tidy
	@mkdir -p $(@D)
	@echo "lint $<"
	@clang-tidy-14 --quiet $< -- $(CPPFLAGS) -DLINT -std=c17 -D_GNU_SOURCE 2>$@.err || \
		{ cat $@.err; exit 1; }
	@gcc $(CPPFLAGS) -DLINT $(WARN) $(WARN_gcc) $(NUMBERS) -O1 -fanalyzer -c -o /dev/null $<
	@touch $@
build/lint/cppcheck: $(SRC) $(wildcard src/*/*.h)
	@mkdir -p $(@D)
	@echo "lint cppcheck"
	@cppcheck -q --std=c11 --inline-suppr --error-exitcode=1 \
		--enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=internalAstError -Isrc -D_GNU_SOURCE -D__x86_64__ src
	@touch $@
layers:
	@scripts/layers.sh
format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')
install: $(B)/knowd
	scripts/install.sh $(B)/knowd
dist:
	@mkdir -p build
	git archive --prefix=knowd-$(VERSION)/ -o build/knowd-$(VERSION).tar.gz HEAD
	@echo build/knowd-$(VERSION).tar.gz
clean:
	rm -rf build
help:
	@echo "make | debug | check | asan | tsan | valgrind | fuzz T=60 | cov | lint | format | bench ROW=name | install | dist | clean"

-include $(OBJ:.o=.d) $(B)/main.d $(wildcard $(B)/tests/*.d $(B)/drivers/*.d)

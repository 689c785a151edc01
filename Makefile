# knowd. Targets: make help
# One object folder a variant: build/VARIANT/; variants are release, debug,
# asan (address, undefined, leak), tsan, clang, cov.

VARIANT ?= release
B := build/$(VARIANT)

LIBS_PC := libmicrohttpd libcurl sqlite3 jansson libcmark-gfm libutf8proc \
	libsodium libcrypto libzstd
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
OPT_release := -O2 -g $(HARDEN)
OPT_debug := -O0 -g3 -DSLOW_CHECKS -fPIE
OPT_asan := -O1 -g -DSLOW_CHECKS -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fPIE
OPT_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -fPIE
OPT_clang := -O2 -g -fPIE
OPT_fuzz := -O1 -g -DSLOW_CHECKS -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
OPT_cov := -O0 -g --coverage -fPIE
LINK_release := $(LINK_HARDEN)
LINK_debug := -pie
LINK_asan := -fsanitize=address,undefined -pie
LINK_tsan := -fsanitize=thread -pie
LINK_clang := -pie
LINK_fuzz := -fsanitize=fuzzer,address,undefined
LINK_cov := --coverage -pie

CC := $(CC_$(VARIANT))
VERSION := 0.1.0
CPPFLAGS := -Isrc -DKNOWD_VERSION='"$(VERSION)"' \
	$(shell pkg-config --cflags $(LIBS_PC) | sed 's/-I\//-isystem \//g')
CFLAGS := $(WARN) $(WARN_$(if $(findstring clang,$(CC)),clang,gcc)) \
	$(NUMBERS) $(OPT_$(VARIANT))
LDLIBS := $(shell pkg-config --libs $(LIBS_PC)) $(LIBS_PLAIN)

SRC := $(wildcard src/*/*.c)
OBJ := $(SRC:src/%.c=$(B)/%.o)
TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/bin/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all help debug asan tsan unit check lint layers format golden fuzz fuzzers \
	fuzz-replay bench clean install dist
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
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(findstring kernels_,$<),-O3) -MMD -MP -c -o $@ $<
$(B)/tests/%: tests/unit/%.c $(B)/libknowd.a
	@mkdir -p $(@D)
	@echo "cc $<"
	@$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -MMD -MP -MF $@.d $(LINK_$(VARIANT)) -o $@ $< $(B)/libknowd.a -lcmocka $(LDLIBS)

unit: $(TESTS)
	scripts/run-unit.sh $(TESTS)
check: $(B)/knowd unit fuzz-replay layers
golden: $(filter %_golden,$(TESTS))
	for t in $^; do GOLDEN=write $$t; done
asan:
	$(MAKE) VARIANT=asan unit
tsan:
	$(MAKE) VARIANT=tsan unit

build/fuzz/bin/%: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(MAKE) VARIANT=fuzz build/fuzz/libknowd.a
	clang-14 $(CPPFLAGS) -std=c17 -D_GNU_SOURCE $(OPT_fuzz) $(LINK_fuzz) -o $@ $< build/fuzz/libknowd.a $(LDLIBS)
fuzzers: $(FUZZERS)
fuzz: $(FUZZERS)
	scripts/fuzz.sh $(or $(T),60) $(FUZZERS)

layers:
	scripts/layers.sh
format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h')
clean:
	rm -rf build
help:
	@echo "make | debug | check | asan | tsan | fuzz T=60 | lint | layers | format | bench ROW=name | install | clean"

-include $(OBJ:.o=.d) $(B)/main.d $(wildcard $(B)/tests/*.d)

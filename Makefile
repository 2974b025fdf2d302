# sfstack. `make` builds everything into build/; see README.md.
BUILD ?= build
ifeq ($(origin CC),default)
CC = gcc
endif
Q := $(if $(V),,@)
PKGS = openssl yaml-0.1 sqlite3 libpq libssh2 libcurl expat libisal libzstd
WARN = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wformat=2 \
       -Wvla -Wundef -fno-common -Werror
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPT ?= -O2 -g
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD)/gen $(OPT) $(WARN) $(HARDEN) $(shell pkg-config --cflags $(PKGS) 2>/dev/null) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread

CORE_SRC := $(wildcard engine/core/*.c)
LANG_SRC := $(wildcard engine/lang/*.c)
LIB_SRC := $(CORE_SRC) $(LANG_SRC) $(wildcard engine/plan/*.c engine/run/*.c state/*.c) \
           $(filter-out engine/cli/sf%.c,$(wildcard engine/cli/*.c)) \
           $(wildcard resources/*.c resources/net/*.c resources/site/*.c resources/iam/*.c resources/aws/*.c resources/aws/client/*.c resources/local/*.c \
             resources/data/*.c resources/data/conform/*.c resources/data/source/*.c resources/review/*.c) \
           $(filter-out resources/data/sample/main.c,$(wildcard resources/data/sample/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/schemas.o $(BUILD)/obj/gen/drivers.o
PROGRAMS := $(patsubst engine/cli/%.c,$(BUILD)/%,$(wildcard engine/cli/sf*.c))
KINDS := $(wildcard schemas/kinds/*.yaml)

all: $(PROGRAMS) $(BUILD)/sfprobe $(BUILD)/sfsample

$(BUILD)/gen/.stamp: $(BUILD)/schemac $(KINDS)
	@mkdir -p $(BUILD)/gen/attr
	$(Q)$(BUILD)/schemac $(BUILD)/gen $(KINDS)
	@touch $@

$(BUILD)/gen/drivers.c: FORCE
	@mkdir -p $(BUILD)/gen
	@sh engine/tools/drivers.sh > $@.new; cmp -s $@.new $@ || cp $@.new $@; rm -f $@.new
FORCE:

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/gen/.stamp
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/gen/schemas.c: $(BUILD)/gen/.stamp

$(BUILD)/obj/%.o: %.c | $(BUILD)/gen/.stamp
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(BUILD)/libsf.a: $(LIB_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^

# the schema compiler is built from core and lang alone (without generated tables)
SCHEMAC_OBJ := $(patsubst %.c,$(BUILD)/obj/boot/%.o,$(CORE_SRC) engine/lang/diag.c engine/lang/yaml.c $(wildcard engine/tools/*.c))
$(BUILD)/obj/boot/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/schemac: $(SCHEMAC_OBJ)
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/sf%: $(BUILD)/obj/engine/cli/sf%.o $(BUILD)/libsf.a
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
$(BUILD)/sfsample: $(BUILD)/obj/resources/data/sample/main.o $(BUILD)/libsf.a
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
$(BUILD)/sfprobe: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/probe/*.c)) $(BUILD)/libsf.a
	@echo "  link $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

# --- what people run ---

PREFIX ?= /usr/local
STACK = stacks/sf-finance.yaml

deps:
	@sh engine/tools/deps.sh demo
deps-dev:
	@sh engine/tools/deps.sh dev

# installs what is missing (asks), builds, applies the flagship stack on this machine, shows the result
demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@sh engine/tools/demo.sh $(BUILD)

# installs what is missing, builds, runs every test
test: deps-dev
	@$(MAKE) --no-print-directory -j$$(nproc) all unit-build
	@$(MAKE) --no-print-directory run-tests

SAN = -O1 -g -fno-omit-frame-pointer
ASAN = BUILD=build-asan OPT="$(SAN) -fsanitize=address,undefined -fno-sanitize-recover=all" HARDEN=-fPIE LDFLAGS="-fsanitize=address,undefined"
TSAN = BUILD=build-tsan OPT="$(SAN) -fsanitize=thread" HARDEN=-fPIE LDFLAGS="-fsanitize=thread"
test-asan: deps-dev
	@$(MAKE) --no-print-directory -j$$(nproc) $(ASAN) all unit-build
	@$(MAKE) --no-print-directory $(ASAN) run-tests
test-tsan: deps-dev
	@$(MAKE) --no-print-directory -j$$(nproc) $(TSAN) all unit-build
	@$(MAKE) --no-print-directory $(TSAN) run-tests

lint: deps-dev
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@sh engine/tools/lint.sh $(BUILD)

bench:
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@BUILD=$(abspath $(BUILD)) /usr/bin/python3 tests/bench/bench.py

schemas/stack.schema.json: $(BUILD)/schemac $(KINDS)
	$(BUILD)/schemac --json-schema $@ $(KINDS)

# no .sf: a stack that was applied in the source tree has its state and its keys there; and uninstall takes nobody's state away
SHARE = $(DESTDIR)$(PREFIX)/share/sfstack
install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS) $(BUILD)/sfsample $(DESTDIR)$(PREFIX)/bin
	find schemas stacks -name .sf -prune -o -type f -exec install -m 644 -D {} $(SHARE)/{} \;
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(notdir $(PROGRAMS)) sfsample)
	[ ! -d $(SHARE) ] || find $(SHARE) -depth ! -path '*/.sf/*' ! -type d -exec rm -f {} +
	[ ! -d $(SHARE) ] || find $(SHARE) -depth -type d -empty ! -path '*/.sf/*' -exec rmdir {} \;
	@[ ! -d $(SHARE) ] || { echo "kept, since stacks were applied there (sfdestroy them first):"; find $(SHARE) -name .sf; }

# --- tests ---

# one cmocka program a file: tests/unit/<path>_test.c
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(shell find tests/unit -name '*_test.c' 2>/dev/null))
$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libsf.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -MF $(BUILD)/obj/$(subst /,_,$*).test.d -MT $@ $(LDFLAGS_ALL) -o $@ $< $(BUILD)/libsf.a $(LIBS) -lcmocka -lz
unit-build: $(UNIT)
unit: unit-build
	@BUILD=$(abspath $(BUILD)) sh tests/unit.sh $(abspath $(UNIT))
run-tests:
	@BUILD=$(abspath $(BUILD)) sh tests/all.sh $(abspath $(UNIT))

# a minute of libFuzzer a target: SECONDS=600 make fuzz
SECONDS ?= 60
FUZZ_SRC = $(CORE_SRC) engine/lang/diag.c engine/lang/yaml.c $(wildcard resources/data/conform/*.c) \
           $(filter-out resources/data/sample/main.c,$(wildcard resources/data/sample/*.c))
# seeds of conform_fuzz: the city's rules and some rows in every writing
fuzz: deps-dev $(BUILD)/sfsample
	@mkdir -p $(BUILD)/fuzz/conform_fuzz.corpus
	@set -e; for o in -crlf -bom -quote-all -thousands "-layout 2017" "-header display"; do \
	  { cat schemas/data/sf/spending_revenue.yaml; printf '\0'; $(BUILD)/sfsample -rows 4 $$o; } > "$(BUILD)/fuzz/conform_fuzz.corpus/seed$$o"; done
	@printf 'y,f,c,n,d,m,s,a\n2017,y,1,A,2,B,In,1.50\n2018,n,"","A",3,B,Out,"-1,000"\n2018,n,1,A,2,"b",In,7\n' > $(BUILD)/fuzz/conform_fuzz.corpus/seed-small
	@set -e; for t in tests/fuzz/*_fuzz.c; do name=$$(basename $$t .c); echo "  fuzz $$name, $(SECONDS) s"; \
	  clang -std=c11 -D_GNU_SOURCE -I. -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $(BUILD)/fuzz/$$name $$t $(FUZZ_SRC) $(LIBS); \
	  mkdir -p $(BUILD)/fuzz/$$name.corpus; \
	  $(BUILD)/fuzz/$$name -max_total_time=$(SECONDS) -artifact_prefix=$(BUILD)/fuzz/ -verbosity=0 -print_final_stats=1 $(BUILD)/fuzz/$$name.corpus; done

# kills sfapply and sfdestroy at many moments; the next run must finish the job
crash: deps-dev
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@BUILD=$(abspath $(BUILD)) SF_KILLS=$${SF_KILLS:-60} sh tests/run.sh -k "crash or kill"

clean:
	rm -rf build build-asan build-tsan $(BUILD)

.SECONDARY:
.PHONY: all demo test test-asan test-tsan lint bench crash fuzz install uninstall deps deps-dev unit unit-build run-tests clean FORCE
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

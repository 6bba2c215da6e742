# SPDX-License-Identifier: GPL-2.0-only
# make help tells what there is.
KERNEL ?= $(shell sh -c '. scripts/lib.sh; default_series' scripts/make)
# Empty where the user asked for no kernel: tests then run on all series.
ASKED := $(if $(filter-out file undefined,$(origin KERNEL)),$(KERNEL))
# The newest upstream stable there is, for the patches.
NEWEST := 7.3
CC := gcc
UNIT := out/tests/unit/pks

.PHONY: help run run-linux check check-host deb l3 migrate same conformance fuzz bench unit prove coverage debug mutants modules kernels series series-check port guests pksctl clean distclean

help:
	@echo 'make run        watch a guest use PKS under KVM, on any x86-64 machine   (root, network at first)'
	@echo 'make run-linux  the same by a stock Linux guest with a module, guests/linux   (root, network at first)'
	@echo 'make check      all tests, as CI runs them                               (root, network at first)'
	@echo 'make l3         a hypervisor below two KVMs, whole, 20 minutes            (root, network at first)'
	@echo 'make migrate    live migration by QEMU of two releases, and libvirt       (root, network at first)'
	@echo "make same       the kernels' own selftests as with their own modules     (root, network at first)"
	@echo 'make conformance  the whole space of the conformance guest, 10 minutes    (root, network at first)'
	@echo 'make fuzz       a million random sequences of a nested hypervisor, 35 minutes  (root, network at first)'
	@echo 'make bench      what PKS costs KVM, in instructions, written to docs/cost-*.md  (root, network at first)'
	@echo 'make unit       tests that need nothing but a compiler'
	@echo 'make prove      what a key forbids, in KVM: a proof for all inputs, by CBMC   (root, network at first)'
	@echo 'make coverage   which lines and branches of KVM the tests reach, 10 minutes  (root, network at first)'
	@echo 'make debug      our modules on kernels that look for wrong accesses, locks and races; slow (root, network at first)'
	@echo 'make mutants    faults in kvm/, each of which a test must find; slow         (root, network at first)'
	@echo 'make modules    kvm.ko and kvm-intel.ko with PKS for the stock kernel    (network at first)'
	@echo 'make kernels    which kernels Debian offers, accepted or why not              (network at first)'
	@echo 'make series     PKS as patches for git am, in out/series                 (network at first)'
	@echo 'make series-check  what is asked of each of these patches; slow           (root, network at first)'
	@echo 'make deb        the Debian packages, in out/deb                           (root, network at first)'
	@echo 'make check-host  what they do to an installed Debian 12 and 13, 45 minutes    (root, network)'
	@echo 'make port       what a kernel that is not accepted needs                 (network at first)'
	@echo 'make guests     the guest programs, multiboot files in out/guests'
	@echo 'make pksctl     the command of a host that gives its guests PKS, out/pksctl/pksctl'
	@echo 'make clean      remove out/; make distclean: the cache, too'
	@echo 'Root is needed to install missing Debian packages, a compiler of another release among'
	@echo 'them, and for nothing else.'
	@echo 'KERNEL=K chooses the kernel, a series (6.12), a version or a release: make kernels'
	@echo 'prints them. Without it that is the series of the machine'\''s own Debian ($(KERNEL)), for'
	@echo 'make modules the kernel that runs, where PKS is known to fit it.'
	@echo 'lab/run --help tells how to run a guest or a program of your own.'

run:
	@scripts/demo $(KERNEL)

run-linux:
	@guests/linux/run $(KERNEL)

check:
	@tests/check "$(ASKED)"

l3:
	@tests/check $(KERNEL) l3

migrate:
	@tests/check $(KERNEL) migrate_whole

same:
	@tests/check "$(ASKED)" same_whole

conformance:
	@tests/conformance $(KERNEL)

fuzz:
	@tests/fuzz --kernel $(KERNEL)

bench:
	@for k in $(or $(ASKED),$(NEWEST) 6.12); do bench/run $$k || exit; done

unit: $(UNIT)
	@(for t in $(UNIT) tests/unit/ktap tests/unit/page tests/unit/mutants tests/unit/selftests tests/unit/security tests/unit/coverage; do \
		echo "# run unit.$$(basename $$t)"; $$t; echo "# exit $$?"; done) | \
		tee out/tests/unit/result; awk -f tests/ktap.awk out/tests/unit/result

$(UNIT): tests/unit/pks.c tests/unit/linux/types.h kvm/pks.h guests/lib/oracle.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined \
		-fno-sanitize-recover=all -Itests/unit -o $@ $<

out/has-pks: scripts/has-pks.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -static -o $@ $<

guests:
	@$(MAKE) --no-print-directory -f guests/Makefile

prove:
	@for k in $(or $(ASKED),6.12 6.1 7.2 7.3); do \
		tree=$$(scripts/prepare $$k) && echo "# Linux $$k" && tests/prove/run "$$tree" || exit; done

pksctl:
	@$(MAKE) --no-print-directory -s -f pksctl/Makefile

coverage:
	@tests/coverage/run $(if $(ASKED),$(ASKED),--page $(NEWEST))

debug:
	@tests/debug/run $(or $(ASKED),6.12)

mutants:
	@tests/mutants/run

modules:
	@scripts/modules $(ASKED)

kernels:
	@scripts/kernels

series:
	@scripts/series $(or $(ASKED),$(NEWEST))

series-check:
	@scripts/series-check $(or $(ASKED),$(NEWEST))

deb:
	@scripts/deb

check-host:
	@tests/host/check

port:
	@scripts/port $(KERNEL)

clean:
	rm -rf out

distclean: clean
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/kvm-pks"

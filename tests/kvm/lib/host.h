/* SPDX-License-Identifier: GPL-2.0-only */
/* The test's side of tests/host-pks' module: a host that uses PKS itself. */
#ifndef TESTS_KVM_HOST_H
#define TESTS_KVM_HOST_H

#include <stdint.h>

/* The name that tests/host-pks' module goes by. */
#define HOST "kvm_amd"

/* All keys but that of the kernel's own pages. */
#define DENY_ALL 0xfffffffcu

/* A parameter of the module; "pkrs" is read as this processor has it. */
void host_set(const char *name, uint32_t value);
uint64_t host_get(const char *name);
/* Its PKRS, and all exits are looked at from here on; or skips the case. */
void host_has(uint32_t pkrs);

#endif

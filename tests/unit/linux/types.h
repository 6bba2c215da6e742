/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's types for kvm/pks.h outside the kernel. */
#ifndef TESTS_UNIT_LINUX_TYPES_H
#define TESTS_UNIT_LINUX_TYPES_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;

#endif

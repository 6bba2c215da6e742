/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where L0 finds the job of a run: at its word, a read of the port, the machine puts
 * it to an address of which L0's memory map knows nothing, and answers its size.
 */
#ifndef LAB_JOB_H
#define LAB_JOB_H

#define JOB_PORT	0xf5
#define JOB		0x60000000u
#define JOB_MAX		0x20000000u
#endif

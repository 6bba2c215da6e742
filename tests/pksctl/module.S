/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pksctl reads of a module: a build ID, of which BUILD is the first byte,
 * its name, and with PKS its parameter.
 */
	.section .note.gnu.build-id, "a", @note
	.long 4, 20, 3
	.asciz "GNU"
	.byte BUILD
	.fill 19, 1, 0
	.section .modinfo, "a"
	.asciz NAME
#ifdef PKS
	.asciz "parmtype=pks:bool"
#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coverage of kernel modules: lab/bochs puts this behind the empty hooks that
 * Bochs offers (instrument/stubs/instrument.h), and instrument.cc behind theirs.
 *
 * Each page of code where Linux has its modules is known by its physical address
 * and by what is in it, so that modules that come, go, are patched and move, in
 * L0 and in an L1, are told apart (tests/coverage/places.c).
 */
#undef BX_INSTR_OPCODE
#undef BX_INSTR_BEFORE_EXECUTION
#undef BX_INSTR_CNEAR_BRANCH_TAKEN
#undef BX_INSTR_CNEAR_BRANCH_NOT_TAKEN

/* Code that goes on in another page without looking where that is. */
#undef BX_ENABLE_TRACE_LINKING
#define BX_ENABLE_TRACE_LINKING 0

/* What is not needed and called often. */
#undef BX_INSTR_AFTER_EXECUTION
#undef BX_INSTR_REPEAT_ITERATION
#undef BX_INSTR_UCNEAR_BRANCH
#undef BX_INSTR_LIN_ACCESS
#undef BX_INSTR_PHY_ACCESS
#define BX_INSTR_AFTER_EXECUTION(cpu_id, i)
#define BX_INSTR_REPEAT_ITERATION(cpu_id, i)
#define BX_INSTR_UCNEAR_BRANCH(cpu_id, what, from, to)
#define BX_INSTR_LIN_ACCESS(cpu_id, linear, physical, len, memtype, rw)
#define BX_INSTR_PHY_ACCESS(cpu_id, physical, len, memtype, rw)

/* A page of code: what it holds, and a bit for each of its bytes. */
struct coverage_page {
  Bit8u content[4096];
  Bit8u reached[512], taken[512], not_taken[512];
};

extern coverage_page *coverage_now;	/* of the instruction that is executed */
extern Bit64u coverage_decoded;		/* instructions so far */

void coverage_reached(bx_phy_address page, const Bit8u *content, bx_address offset);

static inline bool coverage_module(bx_address rip)
{
  return rip - BX_CONST64(0xffffffffc0000000) < BX_CONST64(0x3f000000);
}

static inline void coverage_set(Bit8u *bits, bx_address rip)
{
  bits[(rip & 0xfff) / 8] |= 1 << (rip & 7);
}

/* What has been written over is decoded before it is executed. */
#define BX_INSTR_OPCODE(cpu_id, i, opcode, len, is32, is64) (coverage_decoded++)

/*
 * An instruction of no length is the emulator's own end of a trace. One that goes
 * over into the next page is fetched with that page, the first time.
 */
#define BX_INSTR_BEFORE_EXECUTION(cpu_id, i) \
  do { \
    if (coverage_module(RIP) && (i)->ilen()) \
      coverage_reached(BX_CPU_THIS_PTR pAddrFetchPage, BX_CPU_THIS_PTR eipFetchPtr, \
                       RIP + BX_CPU_THIS_PTR eipPageBias); \
  } while (0)

#define BX_INSTR_CNEAR_BRANCH_TAKEN(cpu_id, rip, to) \
  do { if (coverage_module(rip)) coverage_set(coverage_now->taken, rip); } while (0)
#define BX_INSTR_CNEAR_BRANCH_NOT_TAKEN(cpu_id, rip) \
  do { if (coverage_module(rip)) coverage_set(coverage_now->not_taken, rip); } while (0)

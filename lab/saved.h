// SPDX-License-Identifier: GPL-2.0-only
#ifndef LAB_SAVED_H
#define LAB_SAVED_H

// Places at which the machine is saved, if LAB_SAVE_N in the environment has a name for
// the file: 1, L0 has booted and asks for the first part of its job; 2, it asks for the
// second; 3, its first guest, past its firmware, is entered after its first exit. LAB_RUN
// is the folder of the run.

// Runs program() on a stack that is saved, too, and ends with its status.
int lab_main(int (*program)(void));

// Puts the next part of the job to a physical address; its size, or 0.
Bit32u lab_job(Bit32u address);

// A VM entry to that address of the guest's.
void lab_vm_entry(bx_address rip);

// Whether a place is still to come at which it is saved: what a serial port says until
// then is said again by lab_say_again(), in each process that goes on.
extern bool lab_saves;
void lab_say_again(void);
#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers of the fuzzers, of the guests and of tests/kvm. */
#ifndef GUESTS_RANDOM_H
#define GUESTS_RANDOM_H

/* The state that a sequence starts with: it depends on the seed and its number alone. */
static inline unsigned long random_start(unsigned long seed, unsigned long number)
{
	return (seed * 0x9e3779b97f4a7c15 ^ number * 0xbf58476d1ce4e5b9) | 1;
}

/* One below BELOW, which is not 0 and at most 2^31. STATE is not 0, and moves on. */
static inline unsigned int random_below(unsigned long *state, unsigned int below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1d >> 33) % below;
}

#endif

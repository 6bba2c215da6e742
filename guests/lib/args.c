// SPDX-License-Identifier: GPL-2.0-only
/* The multiboot command line: the program's name, then words. */
#include "guest.h"

#define MAX_WORDS 16
static char line[512];
static char *words[MAX_WORDS];
static bool asked[MAX_WORDS];
static unsigned int n_words;

void args_init(const char *cmdline)
{
	unsigned int n = 0;
	char *p = line;

	for (; cmdline[n] && n < sizeof(line) - 1; n++)
		line[n] = cmdline[n];
	while (*p && *p != ' ')
		p++;
	while (*p) {
		if (*p == ' ') {
			*p++ = 0;
			continue;
		}
		if (n_words == MAX_WORDS)
			die("more than %u arguments: give fewer", MAX_WORDS);
		words[n_words++] = p;
		while (*p && *p != ' ')
			p++;
	}
}

bool arg_flag(const char *name)
{
	bool found = false;

	for (unsigned int i = 0; i < n_words; i++)
		if (same(words[i], name))
			found = asked[i] = true;
	return found;
}

const char *arg_value(const char *name)
{
	const char *value = 0;

	for (unsigned int i = 0; i < n_words; i++) {
		const char *w = words[i], *n = name;

		while (*n && *w == *n)
			w++, n++;
		if (!*n && *w == '=') {
			asked[i] = true;
			value = w + 1;
		}
	}
	return value;
}

const char *parse_number(const char *s, u64 *v)
{
	if (*s < '0' || *s > '9')
		return 0;
	for (*v = 0; *s >= '0' && *s <= '9'; s++)
		*v = *v * 10 + *s - '0';
	return s;
}

u64 arg_number(const char *name, u64 otherwise)
{
	const char *s = arg_value(name);
	u64 v;

	if (!s)
		return otherwise;
	s = parse_number(s, &v);
	if (!s || *s)
		die("%s= takes a decimal number", name);
	return v;
}

enum machine arg_machine(void)
{
	const char *s = arg_value("machine");

	if (!s)
		return MACHINE_ANY;
	if (same(s, "tcg"))
		return MACHINE_TCG;
	if (same(s, "bare"))
		return MACHINE_BARE;
	if (same(s, "kvm"))
		return MACHINE_KVM;
	die("machine=%s is not known: give tcg, bare or kvm", s);
}

void args_done(const char *known)
{
	arg_machine();
	for (unsigned int i = 0; i < n_words; i++)
		if (!asked[i])
			die("unknown argument %s: this guest takes %s", words[i], known);
}

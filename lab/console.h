/* SPDX-License-Identifier: GPL-2.0-only */
/* What the lab's supervisors say, and what the kernels say that they run. */
#ifndef LAB_CONSOLE_H
#define LAB_CONSOLE_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(const char *fmt, ...)
{
	va_list ap;

	fputs("lab: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/*
 * A line of the console of a kernel of ours, which lab/init.c runs on: what it
 * says to the user is handed on. 1 when that kernel has stopped.
 */
struct console {
	const char *name;
	int started, panicked;
};

static int console_line(struct console *c, const char *line)
{
	if (!strncmp(line, "lab: ", 5))
		fprintf(stderr, "%s\n", line);
	if (strstr(line, "lab-init: starting"))
		c->started = 1;
	if (!c->panicked && strstr(line, "Kernel panic - not syncing")) {
		say("the kernel of %s stopped: %s", c->name, line);
		c->panicked = 1;
	}
	return strstr(line, "end Kernel panic") != NULL;
}
#endif

// SPDX-License-Identifier: GPL-2.0-only
/* pksctl: see pksctl.8. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "pksctl.h"

#define VALUE_MAX (PATH_SIZE - 64)	/* a folder, to which names are added */

static const char usage[] =
	"pksctl status [--json], pksctl reload [--json], pksctl vm [--once] [--monitor] [--json], "
	"pksctl test [--output NAME] [--guests FOLDER] [--cases N] [--json], pksctl --help or --version";

/* Takes --NAME out of the arguments; whether it was there. */
static bool option(int *argc, char **argv, const char *name)
{
	int kept = 2;
	bool found = false;

	for (int i = 2; i < *argc; i++) {
		if (!strcmp(argv[i], name))
			found = true;
		else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	return found;
}

/* Takes --NAME VALUE out of the arguments, the last one counts; VALUE is OTHERWISE if there is none. */
static const char *value(int *argc, char **argv, const char *name, const char *otherwise)
{
	int kept = 2;

	for (int i = 2; i < *argc; i++) {
		if (strcmp(argv[i], name)) {
			argv[kept++] = argv[i];
			continue;
		}
		if (++i == *argc || !*argv[i])
			die(CANNOT, "%s needs a value: usage: %s", name, usage);
		if (strlen(argv[i]) > VALUE_MAX)
			die(CANNOT, "the value of %s has more than %d characters", name, VALUE_MAX);
		otherwise = argv[i];
	}
	*argc = kept;
	return otherwise;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '1' || *text > '9' || *end || n > 1000000000)
		die(CANNOT, "--cases %s is not a number from 1 to 1000000000", text);
	return n;
}

/* A command and its arguments, of which the others refuse what is not theirs. */
static int run(int argc, char **argv)
{
	const char *command = argv[1], *output = NULL, *guests = GUESTS, *cases = NULL;
	bool is_status = !strcmp(command, "status"), is_reload = !strcmp(command, "reload");
	bool is_vm = !strcmp(command, "vm"), is_test = !strcmp(command, "test"), json, once = false, monitor = false;

	if (!is_status && !is_reload && !is_vm && !is_test)
		die(CANNOT, "there is no command %s: usage: %s", command, usage);
	if (is_test) {
		output = value(&argc, argv, "--output", NULL);
		guests = value(&argc, argv, "--guests", GUESTS);
		cases = value(&argc, argv, "--cases", NULL);
	}
	json = option(&argc, argv, "--json");
	if (is_vm) {
		once = option(&argc, argv, "--once");
		monitor = option(&argc, argv, "--monitor");
	}
	if (argc > 2)
		die(CANNOT, "%s does not take the argument %s: usage: %s", command, argv[2], usage);
	if (is_status)
		return cmd_status(json);
	if (is_reload)
		return cmd_reload(json);
	if (is_vm)
		return cmd_vm(json, once, monitor);
	return cmd_test(json, cases ? number(cases) : 0, guests, output);
}

int main(int argc, char **argv)
{
	bool help = argc > 1 && !strcmp(argv[1], "--help"), version = argc > 1 && !strcmp(argv[1], "--version");
	int status = OK;

	if (argc < 2 || !*argv[1])
		die(CANNOT, "no command: usage: %s", usage);
	if ((help || version) && argc > 2)
		die(CANNOT, "%s does not take the argument %s: usage: %s", argv[1], argv[2], usage);
	if (help)
		printf("usage: %s\n", usage);
	else if (version)
		puts("pksctl " VERSION);
	else
		status = run(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		die(CANNOT, "the output cannot be written: %s", strerror(errno));
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/* pksctl: see pksctl.8. */
#include <errno.h>
#include <string.h>
#include "pksctl.h"

static const char usage[] = "usage: pksctl status [--json]";

int main(int argc, char **argv)
{
	bool json = false;
	int status;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		puts(usage);
		return OK;
	}
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("pksctl " VERSION);
		return OK;
	}
	if (argc < 2)
		die(CANNOT, "say what to do: %s", usage);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--json"))
			die(CANNOT, "%s takes no argument %s: %s", argv[1], argv[i], usage);
		json = true;
	}
	if (strcmp(argv[1], "status"))
		die(CANNOT, "there is no command %s: %s", argv[1], usage);
	status = cmd_status(json);
	if (fflush(stdout) || ferror(stdout))
		die(CANNOT, "the output cannot be written: %s", strerror(errno));
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "ktap.h"
#include "vm.h"

void host_set(const char *name, uint32_t value)
{
	char path[64], text[16];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/" HOST "/parameters/%s", name);
	snprintf(text, sizeof(text), "%u", value);
	file = fopen(path, "w");
	REQUIRE(file && fputs(text, file) >= 0 && !fclose(file), "cannot set %s = %s: %s", path,
		text, strerror(errno));
}

uint64_t host_get(const char *name)
{
	const char *value = module_param(HOST, name);

	REQUIRE(value, "cannot read the host's %s", name);
	return strtoull(value, NULL, 0);
}

void host_has(uint32_t pkrs)
{
	if (!module_param(HOST, "cr4_pks"))
		ktap_skip("tests/host-pks' module is loaded");
	host_set("pkrs", pkrs);
	host_set("watch", 0);
	host_set("watch", 1);
}

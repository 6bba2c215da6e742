// SPDX-License-Identifier: GPL-2.0-only
/* Runs a guest in stock QEMU, as the lab does, and reads the results that it prints, in KTAP. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pksctl.h"
#include "../lab/qemu.h"

/* Of a guest, far more than any takes. */
#ifndef LIMIT
#define LIMIT 3600	/* seconds */
#endif
#define MAX_OUTPUT 16	/* MiB */

#define TAINT_DIE (1 << 7)
#define TAINT_WARN (1 << 9)

/* The guest that runs. */
static struct run *r;
static int planned, results;

void heed_signals(void)
{
	catch_signals();
}

static void deviate(const char *what)
{
	if (r->n_deviations == MAX_DEVIATIONS)
		return;
	put(r->deviations[r->n_deviations].what, LINE_SIZE, "%s", what);
	put(r->deviations[r->n_deviations++].details, DETAILS_SIZE, "%s", r->diagnostics);
}

static long member(const char *line, const char *name)
{
	char key[32];
	const char *at;

	put(key, sizeof(key), "\"%s\":", name);
	at = strstr(line, key);
	return at ? atol(at + strlen(key)) : 0;
}

/* # {"name":"window.pkrs","variant":"guest",...,"median":8,...} */
static void read_figure(const char *line)
{
	struct figure *f = &r->figures[r->n_figures];
	char name[32], variant[32];

	if (r->n_figures == MAX_FIGURES ||
	    sscanf(line, "# {\"name\":\"%31[^\"]\",\"variant\":\"%31[^\"]\"", name, variant) != 2)
		return;
	put(f->name, sizeof(f->name), "%s/%s", name, variant);
	f->median = member(line, "median");
	f->min = member(line, "min");
	f->spread = member(line, "spread");
	f->n = member(line, "n");
	r->n_figures++;
}

/* The CRC of cksum(1), one byte further. */
static uint32_t sum(uint32_t crc, unsigned char byte)
{
	crc ^= (uint32_t)byte << 24;
	for (int i = 0; i < 8; i++)
		crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
	return crc;
}

static void see_cell(const char *line)
{
	r->cells++;
	for (; *line; line++, r->cell_bytes++)
		r->cksum = sum(r->cksum, *line);
	r->cksum = sum(r->cksum, '\n');
	r->cell_bytes++;
}

/* Their length comes last. */
static void end_cells(void)
{
	for (size_t n = r->cell_bytes; n; n >>= 8)
		r->cksum = sum(r->cksum, n & 255);
	r->cksum = ~r->cksum;
	if (r->cells)
		put(r->note, sizeof(r->note), "%d cells, cksum %u", r->cells, r->cksum);
}

static void progress(const char *what)
{
	if (isatty(2))
		fprintf(stderr, "\r%s: %-60.60s", r->id, what);
}

static void see_result(bool ok, const char *id)
{
	results++;
	if (!ok) {
		r->failed++;
		deviate(id);
	} else if (strstr(id, "# SKIP")) {
		r->skipped++;
		put(r->note, sizeof(r->note), "skipped:%s", strstr(id, "# SKIP") + 6);
	} else {
		r->passed++;
	}
	*r->diagnostics = 0;
	progress(id);
}

static int guest_line(const char *text)
{
	size_t n = strlen(r->diagnostics);
	char line[LINE_SIZE];
	int number, at = 0;

	put(line, sizeof(line), "%s", text);
	clean(line);
	if (sscanf(line, "ok %d %n", &number, &at) == 1 && at)
		see_result(true, line + at);
	else if (sscanf(line, "not ok %d %n", &number, &at) == 1 && at)
		see_result(false, line + at);
	else if (sscanf(line, "1..%d", &number) == 1)
		planned = number;
	else if (strncmp(line, "# ", 2))
		return 0;
	else if (line[2] == '{')
		read_figure(line);
	else if (strstr(line, " cases, "))
		put(r->note, sizeof(r->note), "%s", line + 2);
	else if (strstr(line, " cases"))
		progress(line + 2);
	else if (!strncmp(line, "# cell", 6))
		see_cell(line);
	else
		put(r->diagnostics + n, sizeof(r->diagnostics) - n, "  %s\n", line + 2);
	return 0;
}

/* How it ended, apart from its results. */
static void judge_end(enum why why, int status)
{
	char what[2 * LINE_SIZE];

	if (end_byte < 0 && why == LATE && !*kvm_failed)
		put(what, sizeof(what), "the guest did not end within %d s: stopped", LIMIT);
	else if (end_byte < 0 && why == FULL)
		put(what, sizeof(what), "the guest printed more than %d MiB: stopped", MAX_OUTPUT);
	else if (end_byte < 0)
		judge_qemu(status, what, sizeof(what));
	else if (!results || results != planned)
		put(what, sizeof(what), "%d results where %d were planned", results, planned);
	else if ((end_byte != PASS && end_byte != FAIL && end_byte != SKIP) || (end_byte == FAIL) != (r->failed > 0))
		put(what, sizeof(what), "the guest ended with %d", end_byte);
	else
		return;
	clean(what);
	deviate(what);
	r->failed++;
}

static long taint(void)
{
	char text[32];

	return read_line(text, sizeof(text), SYSROOT "/proc/sys/kernel/tainted") ? atol(text) & (TAINT_DIE | TAINT_WARN) : 0;
}

int run_guest(struct run *run, const char *guests)
{
	struct stream s[STREAMS] = {
		[COM1] = { .to = -1, .lazy = 1, .max = MAX_OUTPUT << 20, .line = guest_line },
		[END] = { .to = -1, .max = OTHER_MAX, .bytes = end_bytes },
		[QEMU] = { .to = -1, .max = OTHER_MAX, .line = qemu_line },
		[COM2] = { .to = -1, .max = OTHER_MAX },
	};
	double began = seconds_now();
	long tainted = taint();
	char path[PATH_SIZE], cpu[64];
	enum why why;
	int status;

	r = run;
	planned = results = 0;
	put(path, sizeof(path), "%s/%s", guests, r->file);
	put(cpu, sizeof(cpu), "host%s", r->cpu ? r->cpu : "");
	progress("");
	if (start_qemu(s, path, "kvm", cpu, r->args ? r->args : "", (char *[]){ NULL }))
		exit(CANNOT);
	why = pump(s, STREAMS, began + LIMIT);
	status = end_child(s, STREAMS, 60);
	if (isatty(2))
		fprintf(stderr, "\r%79s\r", "");
	if (why == STOPPED) {
		say("interrupted: there is no report");
		return 128 + stopped_by;
	}
	judge_end(why, status);
	end_cells();
	if (taint() != tainted) {
		*r->diagnostics = 0;
		deviate("the host's kernel gave a warning: dmesg has it");
		r->failed++;
	}
	r->seconds = seconds_now() - began;
	return 0;
}

/* QEMU's own first line, into VERSION (LINE_SIZE). */
bool qemu_version(char *version)
{
	FILE *f = popen("qemu-system-x86_64 --version 2>/dev/null", "re");
	bool got = f && fgets(version, LINE_SIZE, f);

	version[strcspn(version, "\n")] = 0;
	return f && !pclose(f) && got;
}

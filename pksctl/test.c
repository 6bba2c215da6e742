// SPDX-License-Identifier: GPL-2.0-only
/*
 * pksctl test: this project's guests in stock QEMU on this very host, and a
 * report of what they found. guest.c runs one; here is which and the report.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>
#include "pksctl.h"

#define ROOM (1 << 20)	/* for each file, reserved before the first guest starts */

static struct run runs[] = {
	{ .id = "pks", .file = "pks.elf" },
	{ .id = "hidden", .file = "pks.elf", .cpu = ",-pks", .args = "hidden" },
	{ .id = "nested", .file = "nested.elf" },
	{ .id = "bench", .file = "bench.elf", .args = "windows nested" },
	{ .id = "bench~hidden", .file = "bench.elf", .cpu = ",-pks", .args = "nested" },
	{ .id = "conformance", .file = "conformance.elf" },
};
#define RUNS (sizeof(runs) / sizeof(*runs))

/* A file of the report: under another name until it is whole. */
struct report {
	char name[PATH_SIZE], temporary[PATH_SIZE + 8];
	int fd;
};
static struct report reports[2];
enum { TEXT, JSON };

static void remove_reports(void)
{
	for (int i = 0; i < 2; i++)
		if (*reports[i].temporary)
			unlink(reports[i].temporary);
}

/* Ends the program where there is no room for it or no permission, or another report. */
static void open_report(struct report *r, const char *name, const char *suffix)
{
	int why;

	put(r->name, sizeof(r->name), "%s.%s", name, suffix);
	if (there("%s", r->name))
		die(CANNOT, "%s is there already: --output NAME puts the report elsewhere", r->name);
	put(r->temporary, sizeof(r->temporary), "%s.part", r->name);
	r->fd = open(r->temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	why = r->fd < 0 ? errno : posix_fallocate(r->fd, 0, ROOM);
	if (r->fd < 0)
		*r->temporary = 0;
	if (why)
		die(CANNOT, "%s cannot be written: %s: --output NAME puts the report elsewhere", r->name, strerror(why));
}

static void write_report(struct report *r, const char *text, size_t size)
{
	size_t at = 0;
	ssize_t n = 0;

	while (at < size && (n = write(r->fd, text + at, size - at)) > 0)
		at += n;
	if (n < 0 || ftruncate(r->fd, size) || close(r->fd))
		die(CANNOT, "%s cannot be written: %s", r->name, strerror(errno));
}

static double tsc_mhz(void)
{
	double start = seconds_now();
	uint64_t tsc = __rdtsc();

	usleep(200000);
	return (__rdtsc() - tsc) / (seconds_now() - start) / 1e6;
}

struct facts {
	struct status host;
	char qemu[LINE_SIZE], date[32];
	double mhz;
	unsigned long cases;	/* of conformance; 0: all */
	int deviations, tests;
};

static void print_text(FILE *out, const struct facts *f)
{
	const struct status *s = &f->host;

	fprintf(out, "pksctl test: %d of %d tests deviated\n\n", f->deviations, f->tests);
	fprintf(out, "date         %s\npksctl       %s\n", f->date, VERSION);
	print_host(out, s);
	fprintf(out, "QEMU         %s\n", f->qemu);
	fprintf(out, "conformance  %s\n\n", f->cases ? "a share" : "all cases");
	fprintf(out, "%-14s %8s %8s %8s %9s\n", "run", "passed", "failed", "skipped", "seconds");
	for (size_t i = 0; i < RUNS; i++)
		fprintf(out, "%-14s %8d %8d %8d %9.1f%s%s\n", runs[i].id, runs[i].passed, runs[i].failed, runs[i].skipped,
			runs[i].seconds, *runs[i].note ? "  " : "", runs[i].note);
	fprintf(out, "\nmedians, in ticks of the time stamp counter (%.1f MHz):\n", f->mhz);
	for (size_t i = 0; i < RUNS; i++)
		for (int k = 0; k < runs[i].n_figures; k++) {
			const struct figure *g = &runs[i].figures[k];

			fprintf(out, "%-32s %9ld  least %ld, spread %ld, of %ld\n", g->name, g->median, g->min, g->spread, g->n);
		}
	fprintf(out, "\n%s\n", f->deviations ? "what deviated:" : "nothing deviated");
	for (size_t i = 0; i < RUNS; i++) {
		for (int k = 0; k < runs[i].n_deviations; k++)
			fprintf(out, "%s: %s\n%s", runs[i].id, runs[i].deviations[k].what, runs[i].deviations[k].details);
		if (runs[i].failed > runs[i].n_deviations)
			fprintf(out, "%s: and %d more\n", runs[i].id, runs[i].failed - runs[i].n_deviations);
	}
}

static void json_run(struct json *j, const struct run *r)
{
	json_open(j, NULL, '{');
	json_text(j, "id", r->id);
	json_text(j, "guest", r->file);
	json_text(j, "arguments", r->args ? r->args : "");
	json_number(j, "passed", r->passed);
	json_number(j, "failed", r->failed);
	json_number(j, "skipped", r->skipped);
	json_number(j, "seconds", r->seconds);
	json_text(j, "note", r->note);
	json_number(j, "cells", r->cells);
	json_number(j, "cells_cksum", r->cells ? r->cksum : 0);
	json_open(j, "figures", '[');
	for (int k = 0; k < r->n_figures; k++) {
		const struct figure *g = &r->figures[k];

		json_open(j, NULL, '{');
		json_text(j, "name", g->name);
		json_text(j, "unit", "tsc ticks");
		json_number(j, "median", g->median);
		json_number(j, "min", g->min);
		json_number(j, "spread", g->spread);
		json_number(j, "n", g->n);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_open(j, "deviations", '[');
	for (int k = 0; k < r->n_deviations; k++) {
		json_open(j, NULL, '{');
		json_text(j, "what", r->deviations[k].what);
		json_text(j, "details", r->deviations[k].details);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void print_json(FILE *out, const struct facts *f)
{
	struct json j = { out, false };

	json_open(&j, NULL, '{');
	json_text(&j, "date", f->date);
	json_host(&j, &f->host);
	json_text(&j, "qemu", f->qemu);
	json_number(&j, "tsc_mhz", f->mhz);
	json_number(&j, "conformance_limit", f->cases);
	json_number(&j, "tests", f->tests);
	json_number(&j, "deviated", f->deviations);
	json_open(&j, "runs", '[');
	for (size_t i = 0; i < RUNS; i++)
		json_run(&j, &runs[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	fputc('\n', out);
}

/* What has to be there, or this ends the program. */
static void prepare(struct facts *f, const char *guests, const char *output)
{
	char name[PATH_SIZE] = "", path[PATH_SIZE];
	time_t t = time(NULL);

	look(&f->host);
	if (*f->host.missing)
		die(NOT_SO, "nothing to test: %s", f->host.missing);
	if (f->host.guests == UNKNOWN)
		die(CANNOT, "/dev/kvm cannot be used: %s: be root, or a member of the group kvm", strerror(f->host.kvm_errno));
	for (size_t i = 0; i < RUNS; i++) {
		put(path, sizeof(path), "%s/%s", guests, runs[i].file);
		if (access(path, R_OK))
			die(CANNOT, "the guest %s cannot be read: %s: --guests FOLDER says where the guests are", path, strerror(errno));
	}
	if (!qemu_version(f->qemu))
		die(CANNOT, "qemu-system-x86_64 does not run: install the package qemu-system-x86");
	strftime(f->date, sizeof(f->date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
	strftime(name, sizeof(name), "pks-test-%Y%m%d-%H%M%S", gmtime(&t));
	heed_signals();
	atexit(remove_reports);
	open_report(&reports[TEXT], output ? output : name, "txt");
	open_report(&reports[JSON], output ? output : name, "json");
	f->mhz = tsc_mhz();
}

int cmd_test(bool json, unsigned long cases, const char *guests, const char *output)
{
	struct facts f = { .cases = cases };
	char limit[64], *text[2];
	int stopped;
	size_t size[2];
	FILE *out;

	prepare(&f, guests, output);
	if (cases) {
		put(limit, sizeof(limit), "limit=%lu", cases);
		runs[RUNS - 1].args = limit;
	}
	for (size_t i = 0; i < RUNS; i++) {
		stopped = run_guest(&runs[i], guests);
		if (stopped)
			return stopped;
		f.tests += runs[i].passed + runs[i].failed;
		f.deviations += runs[i].failed;
	}
	for (int i = 0; i < 2; i++) {
		out = open_memstream(&text[i], &size[i]);
		if (!out)
			die(CANNOT, "there is no memory left");
		(i == TEXT ? print_text : print_json)(out, &f);
		fclose(out);
		write_report(&reports[i], text[i], size[i]);
	}
	for (int i = 0; i < 2; i++) {
		if (rename(reports[i].temporary, reports[i].name))
			die(CANNOT, "%s cannot be written: %s", reports[i].name, strerror(errno));
		*reports[i].temporary = 0;
	}
	fputs(text[json ? JSON : TEXT], stdout);
	if (!json)
		printf("\nthe report is in %s and %s\n", reports[TEXT].name, reports[JSON].name);
	return f.deviations ? NOT_SO : OK;
}
